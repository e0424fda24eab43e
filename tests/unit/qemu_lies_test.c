/*
 * device qemu, against a QEMU that its guest took over: whatever it says, a step fails, the
 * connection ends, or nothing happens; the daemon, which is all VMs', lives and stays small.
 */
#include "base/json_link.h"
#include "descriptors.h"
#include "device_support.h"
#include "qemu/qmp.h"
#include "qemu_played.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char qmp_path[128];
static pid_t qemu;

/* A device host whose QEMU says @p lines. */
static void start(struct devices *devices, const struct played_line *lines)
{
    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    devices->vm.device_host.virtiofsd = (char *)"/nonexistent/virtiofsd";
    devices->vm.device_host.timeout_ms = 60000;
    qemu = played_start(qmp_path, lines);
    devices->ups = devices->downs = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

static void stop_qemu(struct devices *devices)
{
    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    qemu = 0;
}

static int tear_down(void **state)
{
    stop_qemu(*state);
    return devices_tear_down(state);
}

static int add_share(struct devices *devices)
{
    const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};

    return devices_add_share(devices, &share);
}

static int add_adapter(struct devices *devices)
{
    static const struct config_network network = {.id = "c"};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = true, .options = ""};

    return devices_add_adapter(devices, &adapter);
}

/* The test's own program is a passt for as long as nobody starts it: it names what passt has. */
static int add_passt(struct devices *devices)
{
    static const struct config_network network = {.id = "c", .backend = CONFIG_BACKEND_PASST};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = true, .options = ""};

    devices->vm.device_host.passt = (char *)"/proc/self/exe";
    return devices_add_adapter(devices, &adapter);
}

static int remove_share(struct devices *devices)
{
    return devices_remove_share(devices, "c");
}

static int remove_adapter(struct devices *devices)
{
    return devices_remove_adapter(devices, "c");
}

/* A memory that is not shared: what an honest QEMU may say, and a share's way ends with it. */
#define PRIVATE "{\"return\": [], \"id\": $}\n"

#define LISTED(driver)                                                                             \
    "{\"return\": [{\"name\": \"guestlink-" driver "-c\", \"type\": \"child<x>\"}], \"id\": $}\n"

#define NO_DEVICE                                                                                  \
    {                                                                                              \
        "qom-list", "{\"return\": [], \"id\": $}\n"                                                \
    }

/* A way to each command whose answer is read, which is the last one of its name. */
static const struct {
    const char *command;
    struct played_line before[6];
    int (*operate)(struct devices *devices);
} steps[] = {
    {"query-memdev", {{NULL, NULL}}, add_share},
    {"qom-list", {{"query-memdev", PLAYED_MEMORY}}, add_share},
    {"qom-list", {{"query-memdev", PLAYED_MEMORY}, {"qom-list", PLAYED_DEVICES}}, add_share},
    {"qom-list",
     {{"query-memdev", PLAYED_MEMORY}, {"qom-list", PLAYED_DEVICES}, {"qom-list", PLAYED_DEVICES}},
     add_share},
    {"qom-get", {{"query-memdev", PLAYED_MEMORY}, {"qom-list", PLAYED_SHARE_THERE}}, add_share},
    {"qom-get", {{NULL, NULL}}, remove_share},
    {"qom-list", {{NULL, NULL}}, add_adapter},
    {"qom-get", {{"qom-list", LISTED("net")}}, add_adapter},
    {"qom-get", {{NULL, NULL}}, remove_adapter},
    {"query-memdev",
     {{"qom-list", PLAYED_DEVICES}, {"qom-list", PLAYED_DEVICES}, NO_DEVICE},
     add_passt},
    {"netdev_add",
     {{"qom-list", PLAYED_DEVICES},
      {"qom-list", PLAYED_DEVICES},
      {"qom-list", "{\"return\": [], \"id\": $}\n"}},
     add_adapter},
    {"device_add",
     {{"qom-list", PLAYED_DEVICES},
      {"qom-list", PLAYED_DEVICES},
      {"qom-list", "{\"return\": [], \"id\": $}\n"}},
     add_adapter},
};

/* Of no step's type. */
static const char *const values[] = {"null",
                                     "1",
                                     "-9223372036854775808",
                                     "0.5",
                                     "[null]",
                                     "[1]",
                                     "[[]]",
                                     "[{}]",
                                     "[{\"name\": null}]",
                                     "[{\"name\": null, \"type\": null, \"share\": null}]",
                                     "[{\"name\": 1, \"type\": 2, \"share\": 3}]",
                                     "[{\"name\": {}, \"type\": [], \"share\": \"\"}]",
                                     "[{\"type\": \"child<pcie-root-port>\"}]",
                                     "\"a\\u0000b\"",
                                     "[{\"name\": \"a\\u0000\", \"type\": \"b\", \"share\": []}]"};

static void answer_of_another_type_fails_its_step(void **state)
{
    struct devices *devices = *state;

    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            struct played_line lines[6] = {{NULL, NULL}};
            size_t count = 0;
            char words[256];

            for (; steps[s].before[count].command; count++)
                lines[count] = steps[s].before[count];
            (void)snprintf(words, sizeof(words), "{\"return\": %s, \"id\": $}\n", values[v]);
            lines[count] = (struct played_line){steps[s].command, words};
            start(devices, lines);
            if (steps[s].operate(devices) != EPROTO || !strstr(devices->text, "violates QMP"))
                fail_msg("%s answered %s: %s", steps[s].command, values[v], devices->text);
            assert_true(device_host_is_up(devices->host));
            stop_qemu(devices);
        }
    }
}

static void message_that_is_none_ends_the_connection(void **state)
{
    static const char *const messages[] = {
        "{\"event\":null}",
        "{\"event\":1}",
        "{\"event\":{}}",
        "{\"event\":\"RESET\",\"data\":[]}",
        "{\"event\":\"RESET\",\"data\":null}",
        "{\"event\":\"\\u0000\"}",
        "{\"QMP\":{}}",
        "{\"QMP\":null}",
        "{}",
        "{\"error\":null,\"id\":1}",
        "{\"error\":{},\"id\":1}",
        "{\"error\":{\"desc\":null},\"id\":1}",
        "{\"return\":{}}",
        "{\"return\":{},\"id\":null}",
        "{\"return\":{},\"id\":\"1\"}",
        "{\"return\":{},\"id\":1e0}",
        "{\"return\":{},\"id\":77}",
        "{\"return\":{},\"id\":-1}",
        "{\"return\":{},\"id\":9999999999999999999999}",
        "{\"event\":\"\xff\"}",
        "{\"event\":\"RESET\"} x",
        "[]",
        "1",
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        char words[128];
        const struct played_line lines[] = {
            {"query-memdev", words}, {"query-memdev", PRIVATE}, {NULL, NULL}};

        (void)snprintf(words, sizeof(words), "%s\n", messages[i]);
        start(devices, lines);
        if (add_share(devices) != ECONNRESET || !strstr(devices->text, "does not speak QMP"))
            fail_msg("%s: %d %s", messages[i], devices->outcome.error, devices->text);
        devices_wait(devices, &devices->ups, 2); /* and it is as good as new */
        assert_int_equal(add_share(devices), ENOTSUP);
        assert_int_equal(devices->resets, 0);
        stop_qemu(devices);
    }
}

/* Puts a text with its NUL, and goes on behind it. */
static void put(char **at, const char *text)
{
    size_t size = strlen(text);

    memcpy(*at, text, size + 1);
    *at += size;
}

/* Deeper than any answer; as many small values as fit on a line. */
static void line_that_is_large_in_memory_is_refused(void **state)
{
    struct devices *devices = *state;
    size_t size = JSON_LINK_LINE_MAX / 2;
    char *words = malloc(size + 64), *at = words;
    const struct played_line lines[] = {{"query-memdev", words}, {NULL, NULL}};

    assert_non_null(words);
    put(&at, "{\"return\": [");
    while (at < words + size)
        put(&at, "{},");
    put(&at, "{}], \"id\": $}\n");
    start(devices, lines);
    assert_int_equal(add_share(devices), ECONNRESET);
    assert_non_null(strstr(devices->text, "a line with too many values"));
    stop_qemu(devices);

    memset(words, '[', 1000);
    at = words + 1000;
    put(&at, "\n");
    start(devices, lines);
    assert_int_equal(add_share(devices), ECONNRESET);
    stop_qemu(devices);
    free(words);
}

static void words_of_an_error_are_cut_and_cleaned(void **state)
{
    struct devices *devices = *state;
    size_t size = JSON_LINK_LINE_MAX / 2;
    char *words = malloc(size + 128), *at = words;
    const struct played_line lines[] = {{"query-memdev", words}, {NULL, NULL}};

    assert_non_null(words);
    put(&at, "{\"error\": {\"desc\": \"ab\\u0000\\u001b[31m\\r\\n\\u009bc");
    memset(at, 'x', size);
    at += size;
    put(&at, "\"}, \"id\": $}\n");
    start(devices, lines);
    assert_int_equal(add_share(devices), EIO);
    assert_non_null(strstr(devices->text, "ab  [31m"));
    assert_true(strlen(devices->text) < 1024);
    for (const char *c = devices->text; *c; c++)
        assert_true((unsigned char)*c >= ' ');
    assert_null(strstr(devices->text, "\xc2\x9b"));
    free(words);
}

/* It let go of QEMU's socket, and forgot the share, under a step that waited with it. */
static void qemu_that_ends_while_a_device_is_unplugged_fails_that(void **state)
{
    static const struct played_line lines[] = {
        {"query-memdev", PLAYED_MEMORY},
        {"qom-list", PLAYED_SHARE_THERE},
        {"qom-get", "{\"return\": \"another\", \"id\": $}\n"},
        {"device_del", PLAYED_OK "{\"event\": \"RESET\"}\n"},
        {NULL, NULL}};
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};

    start(devices, lines);
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    devices_wait(devices, &devices->resets, 1);
    played_stop(qemu);
    qemu = 0;
    devices_wait(devices, &devices->dones, 1);
    assert_int_equal(devices->outcome.error, ECONNRESET);
    assert_non_null(strstr(devices->text, "QEMU exited"));
}

/* What a VM does anew at each connection (devices, servers of shares, lines of the log) it does
 * seldom: a few times at once, then after growing pauses. */
static void qemu_that_comes_and_goes_is_not_followed_without_end(void **state)
{
    static const struct played_line lines[] = {{"query-memdev", NULL}, {NULL, NULL}};
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};
    time_t end;

    start(devices, lines);
    end = time(NULL) + 4;
    while (time(NULL) < end) {
        (void)device_host_add_share(devices->host, &share, devices_done, devices);
        devices_run(devices, 5);
    }
    assert_in_range(devices->ups, 2, QMP_UNSTEADY_MAX + 4);
    assert_in_range(devices->downs, 1, QMP_UNSTEADY_MAX + 4);
}

/* Its events are heard at a bounded rate, and what another VM's QEMU says is heard between. */
static void qemu_that_talks_without_end_takes_nobodys_turn(void **state)
{
    struct devices *devices = *state, other = {.event = devices->event};
    const char event[] = "{\"event\":\"RESET\"}\n";
    size_t count = 200000;
    char *words = malloc(count * sizeof(event));
    const struct played_line loud[] = {{"query-memdev", words}, {NULL, NULL}};
    const struct played_line quiet[] = {{"query-memdev", PRIVATE}, {NULL, NULL}};
    const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};
    unsigned per_s = JSON_LINK_TURNS_PER_S * (JSON_LINK_TURN_BYTES / (sizeof(event) - 1) + 1);
    char other_path[128];
    pid_t other_qemu;
    time_t began;

    assert_non_null(words);
    words[0] = '\0';
    for (size_t i = 0; i < count; i++)
        memcpy(words + i * (sizeof(event) - 1), event, sizeof(event));
    start(devices, loud);
    other.vm = devices->vm;
    memcpy(other.directory, devices->directory, sizeof(other.directory));
    (void)snprintf(other_path, sizeof(other_path), "%s/o.qmp", devices->directory);
    other.vm.device_host.qmp = other_path;
    other_qemu = played_start(other_path, quiet);
    devices_start(&other);
    devices_wait(&other, &other.ups, 1);

    began = time(NULL);
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(add_share(&other), ENOTSUP);
    devices_wait(devices, &devices->resets, 1);
    devices_run(devices, 1000);
    assert_true(devices->resets <= per_s * (unsigned)(time(NULL) - began + 2));
    other.host = device_host_free(other.host);
    played_stop(other_qemu);
    free(words);
}

/* Makes and removes a file without end. */
static pid_t churn(const char *folder)
{
    char path[128];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(path, sizeof(path), "%s/churn", folder);
    for (;;) {
        (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        (void)unlink(path);
    }
}

/* Where its socket was a QEMU that is not connected to may do so. The loop's turns are counted: it
 * must sleep, and must yet find the QEMU that comes back. */
static void folder_that_changes_without_end_keeps_nobody_awake(void **state)
{
    static const struct played_line lines[] = {{NULL, NULL}};
    struct devices *devices = *state;
    uint64_t before, after;
    time_t began;
    pid_t pid;

    start(devices, lines);
    played_stop(qemu);
    devices_wait(devices, &devices->downs, 1);
    pid = churn(devices->directory);
    devices_run(devices, 500);
    began = time(NULL);
    (void)sd_event_get_iteration(devices->event, &before);
    devices_run(devices, 2000);
    (void)sd_event_get_iteration(devices->event, &after);
    assert_in_range(after - before, 0, 200u * (unsigned)(time(NULL) - began + 2));

    qemu = played_start(qmp_path, lines);
    devices_wait(devices, &devices->ups, 2);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void qemu_that_would_end_of_a_passt_is_spared(void **state)
{
    static const struct {
        const char *greeting;
        const char *told;
    } versions[] = {
        {PLAYED_VERSION("7"), "QEMU 7.2 cannot hot-plug a vhost-user adapter"},
        {PLAYED_VERSION("9"), "install QEMU 10.0 or later"},
        {PLAYED_VERSION("-1"), "QEMU (of an unknown version) cannot"},
        {PLAYED_VERSION("\"10\""), "QEMU (of an unknown version) cannot"},
        {PLAYED_VERSION("18446744073709551615"), "QEMU (of an unknown version) cannot"},
        {"{\"QMP\": {\"version\": null}}\n", "QEMU (of an unknown version) cannot"},
        {PLAYED_VERSION("10"), "memory-backend-memfd"}, /* the next thing to be wrong */
        {PLAYED_VERSION("11"), "memory-backend-memfd"},
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        const struct played_line lines[] = {{PLAYED_GREETING, versions[i].greeting},
                                            {"qom-list", PLAYED_DEVICES},
                                            {"qom-list", PLAYED_DEVICES},
                                            NO_DEVICE,
                                            {"query-memdev", PRIVATE},
                                            {NULL, NULL}};

        start(devices, lines);
        assert_int_equal(add_passt(devices), ENOTSUP);
        if (!strstr(devices->text, versions[i].told))
            fail_msg("not told of %s: %s", versions[i].greeting, devices->text);
        if (i + 1 < sizeof(versions) / sizeof(versions[0]))
            stop_qemu(devices);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(qemu_that_would_end_of_a_passt_is_spared),
        TEST(answer_of_another_type_fails_its_step),
        TEST(message_that_is_none_ends_the_connection),
        TEST(line_that_is_large_in_memory_is_refused),
        TEST(words_of_an_error_are_cut_and_cleaned),
        TEST(qemu_that_ends_while_a_device_is_unplugged_fails_that),
        TEST(qemu_that_comes_and_goes_is_not_followed_without_end),
        TEST(qemu_that_talks_without_end_takes_nobodys_turn),
        TEST(folder_that_changes_without_end_keeps_nobody_awake),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
