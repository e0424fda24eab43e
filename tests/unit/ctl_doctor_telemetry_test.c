/* doctor's telemetry: what the last boot of each VM says, and nothing of what is over. */
#include "descriptors.h"
#include "doctor/doctor.h"
#include "protocol/welcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ID    "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define OTHER "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"

static char file[64];

static void fail_on_remark(void *userdata, const char *remark)
{
    (void)userdata;
    fail_msg("%s", remark);
}

/* @param telemetry  JSON. @return the findings as one text, in order: "state check vm: text\n" */
static const char *look(const char *telemetry, const char *swiotlb)
{
    static char found[4096];
    struct doctor doctor = {.findings = json_object_new_array()};
    struct config *config = NULL;
    size_t used = 0;
    char text[1024];
    int size = snprintf(text, sizeof(text),
                        "{\"telemetry\":{\"file\":%s,\"journal\":false},\"vms\":["
                        "{\"name\":\"dev\",\"id\":\"" ID "\",\"cid\":7,\"swiotlb\":\"%s\"},"
                        "{\"name\":\"two\",\"id\":\"" OTHER "\",\"cid\":8}]}",
                        telemetry, swiotlb);

    assert_int_equal(config_parse(text, (size_t)size, "hostd.json", fail_on_remark, fail_on_remark,
                                  NULL, &config),
                     0);
    doctor.config = config;
    doctor_look_at_telemetry(&doctor, config->vms, 1);
    found[0] = '\0';
    for (size_t i = 0; i < json_object_array_length(doctor.findings); i++) {
        struct json_object *one = json_object_array_get_idx(doctor.findings, i);
        static const char *const keys[][2] = {
            {"state", " "}, {"check", " "}, {"vm", ": "}, {"text", "\n"}};

        for (size_t k = 0; k < 4; k++)
            used += (size_t)snprintf(
                found + used, sizeof(found) - used, "%s%s",
                json_object_get_string(json_object_object_get(one, keys[k][0])), keys[k][1]);
    }
    json_object_put(doctor.findings);
    (void)config_free(config);
    return found;
}

static void write_events(const char *events)
{
    FILE *stream = fopen(file, "we");

    assert_non_null(stream);
    (void)fputs(events, stream);
    assert_int_equal(fclose(stream), 0);
}

static int set_up(void **state)
{
    int fd;

    (void)state;
    (void)strcpy(file, "/tmp/glnk-doctor-XXXXXX");
    fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(file);
}

#define EVENT(id, event, more)                                                                     \
    "{\"ts\":\"2026-11-21T11:30:00.000001Z\",\"event\":\"" event "\",\"vm_id\":\"" id "\"" more    \
    "}\n"
#define CONNECTED(release)                                                                         \
    EVENT(ID, "GuestConnected", ",\"init_version\":\"1.0\",\"release\":\"" release "\"")
#define REFUSED EVENT(ID, "ProtocolError", ",\"status\":1")
#define NO_POOL(reason)                                                                            \
    EVENT(ID, "SwiotlbKernelUnsupported",                                                          \
          ",\"reason\":\"" reason "\",\"release\":\"5.10\",\"text\":\"no pool\"")
#define REJECTED                                                                                   \
    EVENT(ID, "SwiotlbPoolRejected",                                                               \
          ",\"reason\":\"zero\",\"release\":\"5.10\",\"text\":\"odd pool\"")
#define APPLIED(token) EVENT(ID, "ApplyGuestCapabilities", ",\"token\":\"" token "\"")

#define UNHEARD "unknown version dev: telemetry has no connection of its guest (any more)\n"
#define SPEAKS                                                                                     \
    "right version dev: guestlink-init 1.0 of the guest speaks our version of the protocol\n"
#define BAD_VERSION                                                                                \
    "wrong version dev: guestlink-init of the guest speaks another version of the protocol; guest" \
    "link-hostd refused it at 2026-11-21T11:30:00.000001Z\n"
#define MADE(release)        "right allocation dev: kernel " release " created its SWIOTLB pool\n"
#define WITHOUT(check, text) "wrong " check " dev: " text " (kernel 5.10); devices have no token\n"

static void test_the_last_boot_counts(void **state)
{
    static const struct {
        const char *events, *found;
    } cases[] = {
        {"", UNHEARD},
        {"no JSON\n", UNHEARD},
        {CONNECTED("6.1"), SPEAKS MADE("6.1")},
        {EVENT(OTHER, "GuestConnected", ",\"init_version\":\"9\",\"release\":\"1\""), UNHEARD},
        {CONNECTED("6.1") REFUSED, BAD_VERSION MADE("6.1")},
        {REFUSED CONNECTED("6.1"), SPEAKS MADE("6.1")},
        {CONNECTED("6.1") EVENT(ID, "ProtocolError", ",\"status\":3"), SPEAKS MADE("6.1")},
        {CONNECTED("5.10") NO_POOL("kernel-too-old"), SPEAKS WITHOUT("kernel", "no pool")},
        {CONNECTED("5.10") NO_POOL("not-on-command-line"), SPEAKS WITHOUT("kernel", "no pool")},
        {CONNECTED("5.10") NO_POOL("allocation-failed"), SPEAKS WITHOUT("allocation", "no pool")},
        {CONNECTED("5.10") REJECTED, SPEAKS WITHOUT("allocation", "odd pool")},
        /* told once for a kernel, not at each boot */
        {CONNECTED("5.10") REJECTED CONNECTED("5.10"), SPEAKS WITHOUT("allocation", "odd pool")},
        {CONNECTED("5.10") REJECTED CONNECTED("6.1"), SPEAKS MADE("6.1")},
        {CONNECTED("5.10") REJECTED APPLIED("a=1"), SPEAKS MADE("5.10")},
        {CONNECTED("5.10") REJECTED APPLIED(""), SPEAKS WITHOUT("allocation", "odd pool")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[80];

        write_events(cases[i].events);
        (void)snprintf(name, sizeof(name), "\"%s\"", file);
        assert_string_equal(look(name, "64M"), cases[i].found);
    }
}

static void test_without_a_pool_any_kernel_will_do(void **state)
{
    char name[80];

    (void)state;
    write_events(CONNECTED("5.10") REJECTED);
    (void)snprintf(name, sizeof(name), "\"%s\"", file);
    assert_string_equal(look(name, "off"), SPEAKS "right kernel dev: no SWIOTLB pool is requested, "
                                                  "so any kernel works\n");
}

static void test_the_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_string_equal(look("null", "64M"),
                        "unknown telemetry : no telemetry file: No such file or directory; cannot "
                        "check what guests reported\n");
    assert_string_equal(look("\"/nothing/of/that/name\"", "64M"),
                        "unknown telemetry : /nothing/of/that/name: No such file or directory; "
                        "cannot check what guests reported\n");
}

/* @return the event of a CID that called so many seconds ago */
static const char *stranger(char *text, size_t size, unsigned cid, unsigned status, time_t ago_s)
{
    time_t at = time(NULL) - ago_s;
    struct tm parts;
    char stamp[32];

    (void)gmtime_r(&at, &parts);
    (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
    (void)snprintf(text, size,
                   "{\"ts\":\"%s\",\"event\":\"ProtocolError\",\"vm_id\":null,\"cid\":%u,"
                   "\"status\":%u}\n",
                   stamp, cid, status);
    return text;
}

static void test_a_cid_of_nobody_that_called_lately_is_told(void **state)
{
    static const struct {
        unsigned cid, status;
        time_t ago_s;
        bool told;
    } cases[] = {
        {99, WELCOME_UNKNOWN_VM, 10, true},
        {99, WELCOME_UNKNOWN_VM, 3000, true},
        {99, WELCOME_UNKNOWN_VM, 4000, false},
        {99, WELCOME_VERSION, 10, false},
        {0, WELCOME_UNKNOWN_VM, 10, false},
        {7, WELCOME_UNKNOWN_VM, 10, false}, /* somebody's by now */
        {8, WELCOME_UNKNOWN_VM, 10, false},
    };
    char name[80], event[256], later[256], both[512];
    const char *found;

    (void)state;
    (void)snprintf(name, sizeof(name), "\"%s\"", file);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_events(stranger(event, sizeof(event), cases[i].cid, cases[i].status, cases[i].ago_s));
        found = look(name, "64M");
        assert_int_equal(strstr(found, "wrong cid : a guest with CID 99 connected at ") != NULL,
                         cases[i].told);
        assert_int_equal(strstr(found, " connected at ") != NULL, cases[i].told);
    }
    (void)snprintf(both, sizeof(both), "%s%s", stranger(event, sizeof(event), 98, 2, 10),
                   stranger(later, sizeof(later), 99, 2, 5));
    write_events(both);
    found = look(name, "64M");
    assert_non_null(strstr(found, "CID 99 connected"));
    assert_null(strstr(found, "CID 98"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_last_boot_counts),
        TEST(test_without_a_pool_any_kernel_will_do),
        TEST(test_the_file_that_cannot_be_read_is_named),
        TEST(test_a_cid_of_nobody_that_called_lately_is_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
