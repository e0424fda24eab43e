/* passt command: what a passt is told of its adapter, and which program is none. */
#include "descriptors.h"
#include "device/passt_command.h"
#include "device_support.h"

#include "base/launch.h"
#include "base/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The test's own program: it names what passt has. */
#define PROGRAM "/proc/self/exe"

/* @return the words, one blank between */
static const char *words_of(const struct config_network *network, char *text, size_t capacity)
{
    struct passt_command command;
    size_t used = 0;

    text[0] = '\0';
    assert_int_equal(passt_command_make(PROGRAM, network, &command), 0);
    for (size_t i = 0; command.argv[i]; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s ", command.argv[i]);
    return text;
}

static void guest_reaches_no_loopback_unless_that_is_said(void **state)
{
    struct config_network network = {.id = "eth0"};
    char text[1024];

    (void)state;
    assert_non_null(strstr(words_of(&network, text, sizeof(text)), "--map-host-loopback none "));
    assert_non_null(strstr(text, "--map-guest-addr none "));
    network.host_loopback = true;
    assert_null(strstr(words_of(&network, text, sizeof(text)), "--map-"));
}

static void it_is_kept_from_the_hosts_own_addresses_unless_that_is_said(void **state)
{
    static char *servers[] = {"1.1.1.1", "::1", "3", "4", "5", "6", "7", "8", "9", "10"};
    struct config_network network = {.id = "eth0", .dns = {servers, 2}};
    struct passt_command command;
    struct devices *devices = *state;
    size_t count = 0;

    (void)unsetenv(LAUNCH_VARIABLE);
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    assert_null(command.guard[0]);
    (void)setenv(LAUNCH_VARIABLE, "/nonexistent/launch", 1);
    (void)setenv("PATH", devices->directory, 1);
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), -ENOPKG);
    (void)devices_script(devices, "guestlink-no-loopback", "#!/bin/sh\n");
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    assert_non_null(strstr(command.guard[0], "/guestlink-no-loopback"));
    assert_string_equal(command.guard[1], "1.1.1.1");
    assert_string_equal(command.guard[2], "::1");
    assert_string_equal(command.guard[3], "--");
    assert_null(command.guard[4]);
    network.dns.count = sizeof(servers) / sizeof(servers[0]);
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    while (command.guard[count])
        count++;
    assert_true(count < PASST_COMMAND_GUARD);
    assert_string_equal(command.guard[count - 1], "--");
    network.host_loopback = true;
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    assert_null(command.guard[0]);
    (void)unsetenv(LAUNCH_VARIABLE);
}

static void nobody_reaches_the_guest(void **state)
{
    const struct config_network network = {.id = "eth0", .host_loopback = true};
    char text[1024];

    (void)state;
    assert_non_null(strstr(words_of(&network, text, sizeof(text)), "--tcp-ports none "));
    assert_non_null(strstr(text, "--udp-ports none "));
}

static void what_is_published_is_passts_and_its_guards_to_know(void **state)
{
    static char *ports[] = {"8080:80", "[::1]:8443:443/tcp", "0.0.0.0:53:5353/udp"};
    struct config_network network = {.id = "eth0", .publish = {ports, 3}};
    struct devices *devices = *state;
    struct passt_command command;
    char text[1024], *many[CONFIG_PUBLISH_MAX];
    size_t count = 0;

    assert_non_null(strstr(words_of(&network, text, sizeof(text)),
                           "--tcp-ports 127.0.0.1/8080:80 --tcp-ports ::1/8443:443 "
                           "--udp-ports 0.0.0.0/53:5353 "));
    network.publish.count = 2;
    assert_non_null(strstr(words_of(&network, text, sizeof(text)), "--udp-ports none "));
    (void)setenv(LAUNCH_VARIABLE, "/nonexistent/launch", 1);
    (void)setenv("PATH", devices->directory, 1);
    (void)devices_script(devices, "guestlink-no-loopback", "#!/bin/sh\n");
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    assert_string_equal(command.guard[1], "--publish");
    assert_string_equal(command.guard[2], "8080/tcp,8443/tcp,");
    assert_string_equal(command.guard[3], "--");
    for (size_t i = 0; i < CONFIG_PUBLISH_MAX; i++)
        many[i] = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535:65535/udp";
    network.publish = (struct config_strings){many, CONFIG_PUBLISH_MAX};
    assert_int_equal(passt_command_make(PROGRAM, &network, &command), 0);
    assert_int_equal(strlen(command.guard[2]), CONFIG_PUBLISH_MAX * strlen("65535/udp,"));
    while (command.argv[count])
        count++;
    assert_true(count < sizeof(command.argv) / sizeof(command.argv[0]));
    assert_string_equal(command.forwards[1], "1111:2222:3333:4444:5555:6666:7777:8888/65535:65535");
    (void)unsetenv(LAUNCH_VARIABLE);
}

static void root_has_it_become_another_user(void **state)
{
    const struct config_network network = {.id = "eth0"};
    char text[1024];

    (void)state;
    assert_int_equal(strstr(words_of(&network, text, sizeof(text)), "--runas ") != NULL,
                     geteuid() == 0);
    assert_null(strstr(text, "--runas 0:"));
}

static void it_has_the_addresses_of_the_configuration(void **state)
{
    static char *addresses[] = {"10.0.2.15/24", "10.0.9.1/8", "fd00::15/64"};
    static char *gateways[] = {"fd00::2", "10.0.2.2"};
    struct config_network network = {
        .id = "eth0", .address = {addresses, 3}, .gateway = {gateways, 2}, .mtu = 1400};
    char text[1024];

    (void)state;
    assert_non_null(strstr(words_of(&network, text, sizeof(text)),
                           "--mtu 1400 --address 10.0.2.15 --netmask 24 --gateway 10.0.2.2 "
                           "--address fd00::15 --gateway fd00::2 "));
    assert_null(strstr(text, "10.0.9.1"));
    network.address.count = 2;
    network.gateway.count = 0;
    assert_non_null(strstr(words_of(&network, text, sizeof(text)), "--ipv4-only "));
    network.address.count = 0;
    assert_null(strstr(words_of(&network, text, sizeof(text)), "-only "));
}

static void what_is_none_is_told_apart(void **state)
{
    struct devices *devices = *state;
    const char *script = devices_script(devices, "script", "#!/bin/sh\n# --vhost-user\n");
    char buffer[LIMITS_PATH];

    assert_int_equal(program_find_passt(PROGRAM, buffer), 0);
    assert_int_equal(program_find_passt("/nonexistent/passt", buffer), -ENOENT);
    assert_string_equal(buffer, "/nonexistent/passt");
    assert_int_equal(program_find_passt("/", buffer), -ENOENT);
    assert_int_equal(program_find_passt(script, buffer), -ENOEXEC);
    assert_int_equal(program_find_passt("/bin/true", buffer), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_reaches_no_loopback_unless_that_is_said),
        cmocka_unit_test_setup_teardown(it_is_kept_from_the_hosts_own_addresses_unless_that_is_said,
                                        devices_set_up, devices_tear_down),
        cmocka_unit_test(nobody_reaches_the_guest),
        cmocka_unit_test_setup_teardown(what_is_published_is_passts_and_its_guards_to_know,
                                        devices_set_up, devices_tear_down),
        cmocka_unit_test(root_has_it_become_another_user),
        cmocka_unit_test(it_has_the_addresses_of_the_configuration),
        cmocka_unit_test_setup_teardown(what_is_none_is_told_apart, devices_set_up,
                                        devices_tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
