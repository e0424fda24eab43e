/* device command: what the program gets, and what becomes of what it answers. */
#include "descriptors.h"
#include "device_support.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS "ro;swiotlb=0x14000000,67108864;vmId=6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"

static const struct device_share share = {.tag = "c d",
                                          .path = "/srv/$(c);'",
                                          .read_only = true,
                                          .iommu_platform = true,
                                          .options = OPTIONS};

/* A busy machine takes its time for a script. */
#define PATIENCE_MS 30000

/* Starts a device host that runs a script with one word of its own. */
static struct devices *start_within(void **state, const char *script, uint32_t timeout_ms)
{
    struct devices *devices = *state;
    static char *argv[3];

    argv[0] = (char *)devices_script(devices, "program", script);
    argv[1] = "a word";
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_COMMAND;
    devices->vm.device_host.argv.items = argv;
    devices->vm.device_host.argv.count = 2;
    devices->vm.device_host.timeout_ms = timeout_ms;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    return devices;
}

static struct devices *start(void **state, const char *script)
{
    return start_within(state, script, PATIENCE_MS);
}

static void program_gets_words_options_and_document(void **state)
{
    char text[4096];
    struct devices *devices = start(state, "#!/bin/sh\n"
                                           "cd \"${0%/*}\"\n"
                                           "printf '%s|' \"$@\" > words\n"
                                           "cat > document\n"
                                           "echo '{\"ok\": true, \"iommu_platform\": true}'\n");

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_string_equal(devices_read(devices, "words", text, sizeof(text)),
                        "a word|add-share|c d|" OPTIONS "|");
    assert_string_equal(devices_read(devices, "document", text, sizeof(text)),
                        "{\"operation\":\"add-share\",\"vm\":{\"name\":\"dev\",\"id\":"
                        "\"6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01\"},\"share\":{\"tag\":\"c d\","
                        "\"path\":\"\\/srv\\/$(c);'\",\"read_only\":true,\"iommu_platform\":true},"
                        "\"options\":\"" OPTIONS "\"}");

    assert_int_equal(devices_remove_share(devices, "c d"), 0);
    assert_string_equal(devices_read(devices, "words", text, sizeof(text)),
                        "a word|remove-share|c d|");
}

static void adapter_is_described(void **state)
{
    char text[4096];
    struct config_network network = {.id = "eth0",
                                     .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
                                     .mtu = 1500,
                                     .backend = CONFIG_BACKEND_TAP,
                                     .interface = "tap0"};
    const struct device_adapter adapter = {.network = &network, .options = "vmId=x"};
    struct devices *devices =
        start(state, "#!/bin/sh\ncat > \"${0%/*}/document\"\necho '{\"ok\": true, \"created\": "
                     "false, \"text\": \"was there\"}'\n");

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_false(devices->outcome.created);
    assert_string_equal(devices->text, "was there");
    assert_non_null(strstr(devices_read(devices, "document", text, sizeof(text)),
                           "\"adapter\":{\"id\":\"eth0\",\"mac\":\"52:54:00:12:34:56\","
                           "\"backend\":\"tap\",\"interface\":\"tap0\",\"mtu\":1500,"
                           "\"iommu_platform\":false}"));
    assert_int_equal(devices_remove_adapter(devices, "eth0"), 0);
}

static const struct {
    const char *script;
    int error;
    const char *text; /* that the outcome's contains */
} failures[] = {
    {"echo '{\"error\": \"no slot\", \"errno\": 28}'", ENOSPC, "no slot"},
    {"echo '{\"error\": \"no slot\"}'", EIO, "add-share c d: no slot"},
    {"echo one >&2; echo two >&2; exit 3", EIO, "exit status 3; last output: one; two"},
    {"echo '{\"ok\": true}'; kill -9 $$", EIO, "killed by signal 9 (Killed)"},
    {"echo nonsense", EPROTO, "not a JSON object"},
    {"echo '{\"ok\": false}'", EPROTO, "no reason"},
    {"echo '{\"error\": 5}'", EPROTO, "no reason"},
    {"echo '[]'", EPROTO, "not a JSON object"},
    {"false", EIO, "exit status 1"},
    {"head -c 100000 /dev/zero | tr '\\0' ' '; echo '{\"ok\": true}'", EPROTO, "more than 64 KiB"},
    {"echo waiting >&2; sleep 60", ETIMEDOUT, "killed after 2000 ms; last output: waiting"},
};

static void failure_is_told_with_status_and_last_words(void **state)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        char script[512];
        struct devices *devices;

        (void)snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", failures[i].script);
        devices = start_within(state, script, failures[i].error == ETIMEDOUT ? 2000 : PATIENCE_MS);
        assert_int_equal(devices_add_share(devices, &share), failures[i].error);
        if (!strstr(devices->text, failures[i].text))
            fail_msg("%s: \"%s\" is not in \"%s\"", failures[i].script, failures[i].text,
                     devices->text);
        devices->host = device_host_free(devices->host);
        devices->ups = 0;
    }
}

static void program_that_says_nothing_and_ends_well_has_done_it(void **state)
{
    static const char *const scripts[] = {"cat >/dev/null", "echo", "echo '{}'",
                                          "echo '{\"later\": 1}'"};

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        char script[64];
        struct devices *devices;

        (void)snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", scripts[i]);
        devices = start(state, script);
        assert_int_equal(devices_add_share(devices, &share), 0);
        assert_true(devices->outcome.created);
        assert_false(devices->outcome.iommu_platform);
        devices->host = device_host_free(devices->host);
        devices->ups = 0;
    }
}

static void program_that_is_not_there_is_named(void **state)
{
    struct devices *devices = start(state, "");
    char *argv[] = {"/nonexistent/program"};

    devices->vm.device_host.argv.items = argv;
    devices->vm.device_host.argv.count = 1;
    assert_int_equal(devices_add_share(devices, &share), ENOENT);
    assert_non_null(strstr(devices->text, "cannot run /nonexistent/program"));
}

static void operations_take_turns(void **state)
{
    char text[256];
    struct devices *devices = start(state, "#!/bin/sh\ncd \"${0%/*}\"\nmkdir turn || exit 1\n"
                                           "sleep 0.1\nrmdir turn\necho \"$3\" >> order\n"
                                           "echo '{\"ok\": true}'\n");

    assert_int_equal(device_host_remove_share(devices->host, "1", devices_done, devices), 0);
    assert_int_equal(device_host_remove_share(devices->host, "2", devices_done, devices), 0);
    assert_int_equal(device_host_remove_share(devices->host, "3", devices_done, devices), 0);
    devices_wait(devices, &devices->dones, 3);
    assert_string_equal(devices_read(devices, "order", text, sizeof(text)), "1\n2\n3\n");
}

static void program_is_killed_at_the_end(void **state)
{
    struct devices *devices = start(state, "#!/bin/sh\nsleep 60\n");

    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    devices_run(devices, 50);
    devices->host = device_host_free(devices->host);
    assert_int_equal(devices->dones, 1);
    assert_int_equal(devices->outcome.error, ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(program_gets_words_options_and_document),
        TEST(adapter_is_described),
        TEST(failure_is_told_with_status_and_last_words),
        TEST(program_that_says_nothing_and_ends_well_has_done_it),
        TEST(program_that_is_not_there_is_named),
        TEST(operations_take_turns),
        TEST(program_is_killed_at_the_end),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
