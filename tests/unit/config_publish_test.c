/* config publish: what a published port is, in each of its forms; and a taken one is told. */
#include "config/publish.h"
#include "descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *text, *address;
    uint16_t port, guest_port;
    bool taken, is_udp, is_ipv6;
} forms[] = {
    {"127.0.0.1:8080:80/tcp", "127.0.0.1", 8080, 80, true, false, false},
    {"127.0.0.1:8080:80", "127.0.0.1", 8080, 80, true, false, false},
    {"8080:80", "127.0.0.1", 8080, 80, true, false, false},
    {"65535:65535/udp", "127.0.0.1", 65535, 65535, true, true, false},
    {"0.0.0.0:1:1/udp", "0.0.0.0", 1, 1, true, true, false},
    {"[::1]:8080:80", "::1", 8080, 80, true, false, true},
    {"[2001:DB8:0:0:0:0:0:1]:53:53/udp", "2001:db8::1", 53, 53, true, true, true},
    {.text = "", .address = ""},
    {.text = "80", .address = ""},
    {.text = ":80:80", .address = ""},
    {.text = "0:80", .address = ""},
    {.text = "80:0", .address = ""},
    {.text = "080:80", .address = ""},
    {.text = "65536:80", .address = ""},
    {.text = "80:65536", .address = ""},
    {.text = "99999999999999999999:80", .address = ""},
    {.text = "80:80/sctp", .address = ""},
    {.text = "80:80/tcp ", .address = ""},
    {.text = "80:80,hostfwd=x", .address = ""},
    {.text = "80:80:80:80", .address = ""},
    {.text = "-80:80", .address = ""},
    {.text = " 80:80", .address = ""},
    {.text = "localhost:80:80", .address = ""},
    {.text = "1.2.3:80:80", .address = ""},
    {.text = "1.2.3.4.5.6.7.8.9:80:80", .address = ""},
    {.text = "::1:80:80", .address = ""},
    {.text = "[::1:80:80", .address = ""},
    {.text = "[::1]80:80", .address = ""},
    {.text = "[127.0.0.1]:80:80", .address = ""},
    {.text = "[fe80::1%eth0]:80:80", .address = ""},
    {.text = "[]:80:80", .address = ""},
};

static void each_form_is_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct config_publish publish = {0};

        if ((config_publish_parse(forms[i].text, &publish) == 0) != forms[i].taken ||
            (config_publish_check(forms[i].text) == NULL) != forms[i].taken)
            fail_msg("\"%s\" is %s", forms[i].text, forms[i].taken ? "refused" : "taken");
        assert_int_equal(publish.is_udp, forms[i].is_udp);
        assert_int_equal(publish.is_ipv6, forms[i].is_ipv6);
        assert_string_equal(publish.address, forms[i].address);
        assert_int_equal(publish.port, forms[i].port);
        assert_int_equal(publish.guest_port, forms[i].guest_port);
    }
}

static void qemu_is_told_the_guest_s_own_address(void **state)
{
    static char *texts[] = {"fd00::15/64", "10.0.9.15/24", "10.0.9.16/24"};
    const struct config_strings addresses = {texts, 3}, none = {0};
    struct config_publish publish;
    char text[CONFIG_PUBLISH_HOSTFWD];

    (void)state;
    assert_int_equal(config_publish_parse("255.255.255.255:65535:65535/udp", &publish), 0);
    config_publish_hostfwd(&publish, &none, text);
    assert_string_equal(text, "udp:255.255.255.255:65535-:65535");
    config_publish_hostfwd(&publish, &addresses, text);
    assert_string_equal(text, "udp:255.255.255.255:65535-10.0.9.15:65535");
}

static void ports_are_listed_whole(void **state)
{
    static char *texts[] = {"8080:80", "[::1]:53:53/udp"};
    const struct config_strings list = {texts, 2};
    char text[16];

    (void)state;
    assert_int_equal(config_publish_name_ports(&list, text, sizeof(text)), 9);
    assert_string_equal(text, "8080/tcp,");
    assert_int_equal(config_publish_name_ports(&list, text, 8), 0);
    assert_string_equal(text, "");
}

/* @return its descriptor */
static int take_port(int type, char ret_text[32])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 1), 0);
    (void)snprintf(ret_text, 32, "%u:80/%s", ntohs(address.sin_port),
                   type == SOCK_STREAM ? "tcp" : "udp");
    return fd;
}

static void a_taken_port_is_told(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    char port[32], *texts[] = {port}, text[256];
    const struct config_strings list = {texts, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int fd = take_port(types[i], port);

        assert_int_equal(config_publish_probe(&list, true, text, sizeof(text)), EADDRINUSE);
        assert_non_null(
            strstr(text, "Address already in use; stop the program that listens there"));
        assert_non_null(strstr(text, port));
        (void)close(fd);
        assert_int_equal(config_publish_probe(&list, true, text, sizeof(text)), 0);
    }
}

static void so_is_an_address_of_another_host_and_a_port_for_root_alone(void **state)
{
    static char *strange[] = {"192.0.2.1:8080:80"}, *low[] = {"1:80"};
    char text[256];

    (void)state;
    assert_int_equal(
        config_publish_probe(&(struct config_strings){strange, 1}, true, text, sizeof(text)),
        EADDRNOTAVAIL);
    assert_non_null(strstr(text, "192.0.2.1:8080:80"));
    if (config_publish_probe(&(struct config_strings){low, 1}, true, text, sizeof(text)) == 0)
        skip(); /* this machine's kernel lets anybody */
    assert_non_null(strstr(text, "ip_unprivileged_port_start"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_what_it_says),
        cmocka_unit_test(qemu_is_told_the_guest_s_own_address),
        cmocka_unit_test(ports_are_listed_whole),
        cmocka_unit_test(a_taken_port_is_told),
        cmocka_unit_test(so_is_an_address_of_another_host_and_a_port_for_root_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
