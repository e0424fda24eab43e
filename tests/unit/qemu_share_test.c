/*
 * device qemu's shares, word for word: what a QEMU hears when one is added, taken over, lost and
 * removed, and what becomes of its answers. The QEMU is played; a shell stands in for virtiofsd, to
 * which nobody connects then.
 */
#include "base/program.h"
#include "descriptors.h"
#include "device_support.h"
#include "qemu/name.h"
#include "qemu_played.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(text)   "{\"return\": \"" text "\", \"id\": $}\n"
#define FLAG(flag)   "{\"return\": " flag ", \"id\": $}\n"
#define REFUSE(text) "{\"error\": {\"desc\": \"" text "\"}, \"id\": $}\n"
#define NOTHING      "{\"return\": [], \"id\": $}\n"
#define TOKEN        "swiotlb=0x1000000,16777216"
#define LIST         "qom-list {\"path\":\"/machine/peripheral\"}\n"
#define BUS(port)    "qom-list {\"path\":\"/machine/peripheral/" port "/" port "\"}\n"
#define GET(what)                                                                                  \
    "qom-get {\"path\":\"/machine/peripheral/guestlink-fs-c\",\"property\":\"" what "\"}\n"
#define DELETE "device_del {\"id\":\"guestlink-fs-c\"}\n"

#define CHARDEV_BYTES 64
#define ANSWER_BYTES  128

static char qmp_path[128];
static pid_t qemu;

static void start(struct devices *devices, const struct played_line *lines)
{
    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    if (devices->vm.device_host.timeout_ms == 0)
        devices->vm.device_host.timeout_ms = DEVICES_TIMEOUT_MS;
    if (!devices->vm.device_host.virtiofsd)
        devices->vm.device_host.virtiofsd =
            strdup(devices_script(devices, "virtiofsd", "#!/bin/sh\nexec sleep 1000\n"));
    qemu = played_start(qmp_path, lines);
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

static void stop_qemu(struct devices *devices)
{
    unsigned downs = devices->downs;

    if (qemu > 0)
        played_expect_no_more(qmp_path);
    played_stop(qemu);
    qemu = 0;
    if (devices->host && device_host_is_up(devices->host)) /* it cleans up behind a QEMU */
        devices_wait(devices, &devices->downs, downs + 1);
    devices->host = device_host_free(devices->host);
}

static int tear_down(void **state)
{
    struct devices *devices = *state;

    stop_qemu(devices);
    free((char *)(uintptr_t)devices->vm.device_host.virtiofsd);
    return devices_tear_down(state);
}

static struct device_share share_of(const struct devices *devices)
{
    return (struct device_share){.tag = "c", .path = devices->directory, .options = ""};
}

/* The chardev of that share: a hash of all that makes it another one. */
static void name_chardev(const struct devices *devices, char chardev[CHARDEV_BYTES])
{
    memcpy(chardev, QEMU_NAME_FS, sizeof(QEMU_NAME_FS));
    device_name_hash(chardev + strlen(QEMU_NAME_FS), devices->vm.id, "c", devices->directory, "rw",
                     NULL);
}

/* An answer that names it. */
static void answer_chardev(const struct devices *devices, char words[ANSWER_BYTES])
{
    char chardev[CHARDEV_BYTES];

    name_chardev(devices, chardev);
    (void)snprintf(words, ANSWER_BYTES, TEXT("%s"), chardev);
}

static void expect_removed(const char *chardev)
{
    char expected[256];

    (void)snprintf(expected, sizeof(expected), "chardev-remove {\"id\":\"%s\"}\n", chardev);
    played_expect(qmp_path, expected);
}

static void expect_chardev(const struct devices *devices, const char *chardev)
{
    char expected[1024], folder[DEVICE_NAME_HASH_SIZE];

    device_name_hash(folder, devices->vm.id, NULL);
    (void)snprintf(
        expected, sizeof(expected),
        "chardev-add {\"id\":\"%s\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":"
        "\"unix\",\"data\":{\"path\":\"%s/fs/%s/%s.sock\"}},\"server\":false}}}\n",
        chardev, devices->directory, folder, chardev + strlen(QEMU_NAME_FS));
    played_expect(qmp_path, expected);
}

/* @param more  arguments */
static void expect_device(const char *chardev, const char *more)
{
    char expected[512];

    (void)snprintf(
        expected, sizeof(expected),
        "device_add {\"driver\":\"vhost-user-fs-pci\",\"id\":\"guestlink-fs-c\",\"chardev\":\"%s\","
        "\"tag\":\"c\",\"bus\":\"rp1\",\"num-request-queues\":1%s}\n",
        chardev, more);
    played_expect(qmp_path, expected);
}

static void expect_made(const struct devices *devices, const char *chardev, const char *more)
{
    expect_chardev(devices, chardev);
    expect_device(chardev, more);
}

static void expect_port_looked_for(void)
{
    played_expect(qmp_path, LIST BUS("rp1"));
}

/* On an empty machine. */
static void add(struct devices *devices)
{
    const struct device_share share = share_of(devices);
    char chardev[CHARDEV_BYTES];

    name_chardev(devices, chardev);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    played_expect(qmp_path, "query-memdev\n" LIST);
    expect_removed(chardev);
    expect_port_looked_for();
    expect_made(devices, chardev, "");
}

/* The process that its files name; 0: none. */
static pid_t recorded_pid(const struct devices *devices)
{
    char folder[DEVICE_NAME_HASH_SIZE], chardev[CHARDEV_BYTES], path[128], text[64];

    device_name_hash(folder, devices->vm.id, NULL);
    name_chardev(devices, chardev);
    (void)snprintf(path, sizeof(path), "fs/%s/%s.pid", folder, chardev + sizeof(QEMU_NAME_FS) - 1);
    return (pid_t)strtol(devices_read(devices, path, text, sizeof(text)), NULL, 10);
}

/* The same of a share that is there: it writes that itself. */
static pid_t pid_of_server(struct devices *devices)
{
    for (unsigned i = 0; i < DEVICES_TIMEOUT_MS / 10 && recorded_pid(devices) == 0; i++)
        devices_run(devices, 10);
    assert_true(recorded_pid(devices) > 1);
    return recorded_pid(devices);
}

#define EMPTY                                                                                      \
    {"query-memdev", PLAYED_MEMORY}, {"qom-list", PLAYED_DEVICES}, {"qom-list", PLAYED_DEVICES},   \
    {                                                                                              \
        "qom-list", NOTHING                                                                        \
    }

static void share_is_made_taken_over_and_removed(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);
    char chardev[CHARDEV_BYTES], ours[ANSWER_BYTES];
    const struct played_line lines[] = {EMPTY,
                                        {"qom-list", PLAYED_SHARE_THERE},
                                        {"qom-get", ours},
                                        {"qom-get", FLAG("false")},
                                        {"qom-get", ours},
                                        {"device_del", PLAYED_OK PLAYED_GONE},
                                        {NULL, NULL}};
    pid_t pid;

    name_chardev(devices, chardev);
    answer_chardev(devices, ours);
    start(devices, lines);
    add(devices);
    assert_false(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, "");
    pid = pid_of_server(devices);
    assert_int_equal(kill(pid, 0), 0);

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);
    assert_false(devices->outcome.iommu_platform);
    played_expect(qmp_path, "query-memdev\n" LIST GET("chardev") GET("iommu_platform"));
    assert_int_equal(pid_of_server(devices), pid);

    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_string_equal(devices->text, "");
    played_expect(qmp_path, GET("chardev") DELETE);
    expect_removed(chardev);
    assert_int_equal(recorded_pid(devices), 0);
    devices_run(devices, 100); /* what was killed is noticed in the loop */
    assert_int_equal(devices->losses, 0);
}

/* QEMU is asked once; a share that need not bounce is made anew, the next one without asking. */
static void qemu_that_cannot_have_a_share_bounce_is_asked_once(void **state)
{
    struct devices *devices = *state;
    struct device_share share = share_of(devices);
    const struct played_line lines[] = {EMPTY,
                                        {"query-balloon", REFUSE("No balloon device")},
                                        {"query-memory-devices", NOTHING},
                                        {"device_add", REFUSE("no iommu_platform here")},
                                        {"device_add", PLAYED_OK},
                                        {"qom-list", PLAYED_DEVICES},
                                        {"qom-list", PLAYED_DEVICES},
                                        {"qom-list", NOTHING},
                                        {NULL, NULL}};
    char chardev[CHARDEV_BYTES] = QEMU_NAME_FS;

    share.iommu_platform = true;
    share.options = TOKEN;
    device_name_hash(chardev + strlen(QEMU_NAME_FS), devices->vm.id, "c", devices->directory, "rw",
                     TOKEN, config_aperture_names[CONFIG_APERTURE_AUTO], NULL);
    start(devices, lines);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_false(devices->outcome.iommu_platform);
    assert_non_null(strstr(devices->text, "QEMU does not support iommu_platform"));
    played_expect(qmp_path, "query-memdev\nquery-balloon\nquery-memory-devices\n" LIST);
    expect_removed(chardev);
    expect_port_looked_for();
    expect_made(devices, chardev, ",\"iommu_platform\":true,\"queue-size\":64");
    expect_removed(chardev);
    expect_made(devices, chardev, "");

    assert_int_equal(devices_add_share(devices, &share), 0);
    played_expect(qmp_path, "query-memdev\nquery-balloon\nquery-memory-devices\n" LIST);
    expect_removed(chardev);
    expect_port_looked_for();
    expect_made(devices, chardev, "");
}

/* QEMU is told at once, and once, when what serves a share is gone: a guest would wait for ever. */
static void share_that_nobody_serves_is_unplugged_at_once(void **state)
{
    static const struct {
        const char *early;   /* QEMU's answer then */
        const char *asked;   /* what the removal asks */
        const char *removal; /* the answer to that */
    } cases[] = {
        {PLAYED_OK PLAYED_GONE, DELETE, REFUSE("Device 'guestlink-fs-c' not found")},
        {PLAYED_OK, "", ""}, /* on its way out: the guest's end of it comes with the next test */
        {REFUSE("already in the process of unplug"), "", ""},
        {REFUSE("the slot is occupied"), DELETE, PLAYED_OK PLAYED_GONE},
        {PLAYED_OK "{\"event\": \"RESET\"}\n", DELETE, PLAYED_OK PLAYED_GONE},
        {PLAYED_OK "{\"event\": \"DEVICE_UNPLUG_GUEST_ERROR\", \"data\": {\"device\": "
                   "\"guestlink-fs-c\"}}\n",
         DELETE, PLAYED_OK PLAYED_GONE},
        {PLAYED_OK "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"other\"}}\n", "", ""},
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char ours[ANSWER_BYTES], chardev[CHARDEV_BYTES], gone[ANSWER_BYTES + 256];
        const struct played_line lines[] = {EMPTY,
                                            {"device_del", cases[i].early},
                                            {"device_del", cases[i].removal},
                                            {"qom-get", gone},
                                            {NULL, NULL}};

        name_chardev(devices, chardev);
        answer_chardev(devices, ours);
        (void)snprintf(gone, sizeof(gone), "%s%s", ours, cases[i].asked[0] ? "" : PLAYED_GONE);
        start(devices, lines);
        add(devices);
        devices->losses = 0;
        assert_int_equal(kill(pid_of_server(devices), SIGKILL), 0);
        devices_wait(devices, &devices->losses, 1);
        assert_memory_equal(devices->text, "c: virtiofsd: ", 14);
        played_expect(qmp_path, DELETE);
        devices_run(devices, 100); /* QEMU's answer to that */
        assert_int_equal(devices->losses, 1);
        assert_int_equal(devices->resets, strstr(cases[i].early, "RESET") != NULL);
        devices->resets = 0;
        assert_int_equal(devices_remove_share(devices, "c"), 0);
        played_expect(qmp_path, GET("chardev"));
        if (cases[i].asked[0])
            played_expect(qmp_path, cases[i].asked);
        expect_removed(chardev);
        stop_qemu(devices);
    }
}

/* Each way in which the removal of a device can end. */
static void removal_ends_as_guest_and_qemu_say(void **state)
{
#define ABOUT(event, device) "{\"event\": \"" event "\", \"data\": {\"device\": \"" device "\"}}\n"
    static const struct {
        const char *answer;
        int error;
        const char *text;
    } cases[] = {
        {PLAYED_GONE PLAYED_OK, 0, ""},
        {REFUSE("guestlink-fs-c is already in the process of unplug") PLAYED_GONE, 0, ""},
        {REFUSE("Device 'guestlink-fs-c' not found"), 0, ""},
        {REFUSE("no hotplug here"), EIO, "share c: no hotplug here"},
        {PLAYED_OK ABOUT("DEVICE_UNPLUG_GUEST_ERROR", "guestlink-fs-c"), EBUSY,
         "share c: the guest refused to release the device; the device stays"},
        {ABOUT("MEM_UNPLUG_ERROR", "guestlink-fs-c") PLAYED_OK, EBUSY,
         "share c: the guest refused to release the device; the device stays"},
        {PLAYED_OK ABOUT("DEVICE_DELETED", "guestlink-fs-d")
             ABOUT("STOP", "guestlink-fs-c") "{\"event\": \"DEVICE_DELETED\"}\n",
         ETIMEDOUT,
         "share c: the guest did not release device guestlink-fs-c within 500 ms (is the guest "
         "stopped, or is something still mounted?); QEMU removes the device as soon as the guest "
         "releases it"},
    };
    struct devices *devices = *state;
    char ours[ANSWER_BYTES], chardev[CHARDEV_BYTES];

    name_chardev(devices, chardev);
    answer_chardev(devices, ours);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct played_line lines[] = {
            {"qom-get", ours}, {"device_del", cases[i].answer}, {NULL, NULL}};

        devices->vm.device_host.timeout_ms = cases[i].error == ETIMEDOUT ? 500 : DEVICES_TIMEOUT_MS;
        start(devices, lines);
        assert_int_equal(devices_remove_share(devices, "c"), cases[i].error);
        assert_string_equal(devices->text, cases[i].text);
        played_expect(qmp_path, GET("chardev") DELETE);
        if (cases[i].error == 0)
            expect_removed(chardev);
        stop_qemu(devices);
    }
}

static void device_that_is_not_there_has_nothing_to_remove(void **state)
{
    static const struct played_line lines[] = {{"qom-get", REFUSE("Device not found")},
                                               {NULL, NULL}};
    struct devices *devices = *state;

    start(devices, lines);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_string_equal(devices->text, "the device did not exist");
    assert_int_equal(devices_remove_adapter(devices, "c"), 0);
    assert_string_equal(devices->text, "the device did not exist");
    played_expect(qmp_path, GET("chardev") "qom-get {\"path\":\"/machine/peripheral/"
                                           "guestlink-net-c\",\"property\":\"netdev\"}\n");
}

/* One that is not equal makes room first: its device, then its chardev. */
static void share_that_is_not_equal_makes_room(void **state)
{
    static const struct {
        const char *chardev; /* QEMU says */
        const char *removed; /* and hears */
    } cases[] = {
        {TEXT("guestlink-fs-0123456789abcdef"),
         "chardev-remove {\"id\":\"guestlink-fs-0123456789abcdef\"}\n"},
        {TEXT("guestlink-fs-0123456789ABCDEF"), ""}, /* no name of ours */
        {TEXT("somebody-else"), ""},
        {REFUSE("no such property"), ""},
    };
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);
    char chardev[CHARDEV_BYTES];

    name_chardev(devices, chardev);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct played_line lines[] = {{"query-memdev", PLAYED_MEMORY},
                                            {"qom-list", PLAYED_SHARE_THERE},
                                            {"qom-get", cases[i].chardev},
                                            {"device_del", PLAYED_OK PLAYED_GONE},
                                            {"qom-list", PLAYED_DEVICES},
                                            {"qom-list", NOTHING},
                                            {NULL, NULL}};

        start(devices, lines);
        assert_int_equal(devices_add_share(devices, &share), 0);
        assert_true(devices->outcome.created);
        played_expect(qmp_path, "query-memdev\n" LIST GET("chardev") DELETE);
        if (cases[i].removed[0])
            played_expect(qmp_path, cases[i].removed);
        expect_removed(chardev);
        expect_port_looked_for();
        expect_made(devices, chardev, "");
        stop_qemu(devices);
    }
}

/* With QEMU's words; what serves it ends, and QEMU has nothing of it left. */
static void step_that_fails_ends_the_share(void **state)
{
#define NOT_NOW REFUSE("not now")
#define WRONG   "{\"return\": 1, \"id\": $}\n"
    static const struct {
        const char *command;
        size_t lines; /* of an empty machine that come before */
        const char *words;
        long error;
        const char *text;
        bool made, has_device;
    } cases[] = {
        {"query-memdev", 0, NOT_NOW, EIO, "share c: cannot query QEMU's memory backends: not now",
         false, false},
        {"qom-list", 1, NOT_NOW, EIO, "share c: cannot list QEMU's devices: not now", false, false},
        {"qom-list", 2, NOT_NOW, EIO, "share c: not now", false, false},
        {"chardev-add", 4, NOT_NOW, EIO, "share c: cannot connect QEMU to virtiofsd: not now", true,
         false},
        {"device_add", 4, NOT_NOW, EIO, "share c: cannot add the device to QEMU: not now", true,
         true},
        {"device_add", 4, WRONG, EPROTO, "QEMU's answer to device_add violates QMP", true, true},
    };
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);
    char chardev[CHARDEV_BYTES];

    name_chardev(devices, chardev);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct played_line lines[] = {EMPTY, {NULL, NULL}, {NULL, NULL}};

        lines[cases[i].lines] = (struct played_line){cases[i].command, cases[i].words};
        lines[cases[i].lines + 1] = (struct played_line){NULL, NULL};
        start(devices, lines);
        assert_int_equal(devices_add_share(devices, &share), cases[i].error);
        if (!strstr(devices->text, cases[i].text))
            fail_msg("\"%s\" lacks \"%s\"", devices->text, cases[i].text);
        assert_int_equal(recorded_pid(devices), 0);
        played_expect(qmp_path, "query-memdev\n");
        if (cases[i].lines > 0)
            played_expect(qmp_path, LIST);
        if (cases[i].lines > 1)
            expect_removed(chardev);
        if (cases[i].lines > 1)
            played_expect(qmp_path, LIST);
        if (cases[i].made)
            played_expect(qmp_path, BUS("rp1"));
        if (cases[i].made)
            expect_chardev(devices, chardev);
        if (cases[i].has_device)
            expect_device(chardev, "");
        if (cases[i].error == EPROTO) /* it may be there, whatever QEMU said */
            played_expect(qmp_path, DELETE);
        if (cases[i].made)
            expect_removed(chardev);
        stop_qemu(devices);
    }
    assert_int_equal(devices->losses, 0);
}

/* Each of two at once gets a port; the next one begins behind the last that was found. */
static void ports_take_turns(void **state)
{
#define TWO_PORTS                                                                                  \
    "{\"return\": [{\"name\": \"rp1\", \"type\": \"child<pcie-root-port>\"}, {\"name\": \"x\", "   \
    "\"type\": \"child<virtio-blk-pci>\"}, {\"name\": \"rp2\", \"type\": "                         \
    "\"child<pcie-root-port>\"}], \"id\": $}\n"
#define TAKEN "{\"return\": [{\"name\": \"child[0]\", \"type\": \"link<x>\"}], \"id\": $}\n"
    static const struct played_line lines[] = {{"qom-list", TWO_PORTS},
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", NOTHING}, /* rp1 */
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", NOTHING}, /* rp2 */
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", TAKEN},
                                               {"qom-list", NOTHING}, /* rp1 has a device: rp2 */
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", TWO_PORTS},
                                               {"qom-list", REFUSE("not found")},
                                               {"qom-list", TAKEN}, /* none */
                                               {NULL, NULL}};
    static const char *const expected[] = {LIST LIST BUS("rp1"), LIST LIST BUS("rp2"),
                                           LIST LIST BUS("rp1") BUS("rp2"),
                                           LIST LIST BUS("rp1") BUS("rp2")};
    static const char *const ports[] = {"rp1", "rp2", "rp2"};
    struct devices *devices = *state;
    struct config_network network = {.id = "c"};
    const struct device_adapter adapter = {.network = &network, .options = ""};
    char hash[DEVICE_NAME_HASH_SIZE], words[512];

    device_name_hash(hash, devices->vm.id, "c", "00:00:00:00:00:00", "user", "", "", NULL);
    start(devices, lines);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(devices_add_adapter(devices, &adapter), i < 3 ? 0 : ENOSPC);
        played_expect(qmp_path, expected[i]);
        if (i == 3)
            break;
        (void)snprintf(words, sizeof(words),
                       "netdev_del {\"id\":\"guestlink-net-%s\"}\n"
                       "netdev_add {\"type\":\"user\",\"id\":\"guestlink-net-%s\"}\n"
                       "device_add {\"driver\":\"virtio-net-pci\",\"id\":\"guestlink-net-c\","
                       "\"netdev\":\"guestlink-net-%s\",\"mac\":\"00:00:00:00:00:00\","
                       "\"bus\":\"%s\"}\n",
                       hash, hash, hash, ports[i]);
        played_expect(qmp_path, words);
    }
    assert_non_null(strstr(devices->text, "no free PCIe root port"));
}

static void second_operation_on_a_device_is_refused(void **state)
{
    static const struct played_line lines[] = {{"query-memdev", ""}, {NULL, NULL}};
    struct devices *devices = *state, other = {0};
    const struct device_share share = share_of(devices);

    start(devices, lines);
    other.event = devices->event;
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, &other), 0);
    assert_int_equal(devices_remove_share(devices, "c"), EBUSY);
    assert_string_equal(devices->text, "device guestlink-fs-c: another operation is in progress");
    played_expect(qmp_path, "query-memdev\n");
    assert_int_equal(other.dones, 0);
    devices->host = device_host_free(devices->host);
    assert_int_equal(other.dones, 1);
    assert_int_equal(other.outcome.error, ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(share_is_made_taken_over_and_removed),
        TEST(qemu_that_cannot_have_a_share_bounce_is_asked_once),
        TEST(share_that_nobody_serves_is_unplugged_at_once),
        TEST(removal_ends_as_guest_and_qemu_say),
        TEST(device_that_is_not_there_has_nothing_to_remove),
        TEST(share_that_is_not_equal_makes_room),
        TEST(step_that_fails_ends_the_share),
        TEST(ports_take_turns),
        TEST(second_operation_on_a_device_is_refused),
    };

    if (geteuid() != 0) {
        (void)puts("a share takes root");
        return 77;
    }
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
