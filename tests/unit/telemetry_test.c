/* telemetry: whole lines in order, rotated, and what a full disk costs. */
#include "descriptors.h"
#include "folder.h"
#include "telemetry/journal.h"
#include "telemetry/json_line.h"
#include "telemetry/telemetry.h"
#include "telemetry/telemetry_file.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[FOLDER_BYTES], file[128];
static const struct telemetry_source source = {"dev", "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a",
                                               "11111111-2222-3333-4444-555555555555"};

static int set_up(void **state)
{
    (void)state;
    folder_make(directory);
    (void)snprintf(file, sizeof(file), "%s/t.jsonl", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(directory);
    return 0;
}

static struct telemetry *open_file(uint64_t max_bytes, unsigned keep)
{
    const struct config_telemetry config = {.file = file, .max_bytes = max_bytes, .keep = keep};
    struct telemetry *telemetry = NULL;

    assert_int_equal(telemetry_new(&config, &telemetry), 0);
    return telemetry;
}

/* The whole file, NUL-terminated; "" if there is none. */
static const char *read_number(unsigned number)
{
    static char text[65536];
    char path[160];
    FILE *stream;

    if (number == 0)
        (void)snprintf(path, sizeof(path), "%s", file);
    else
        (void)snprintf(path, sizeof(path), "%s.%u", file, number);
    stream = fopen(path, "re");
    text[0] = '\0';
    if (stream != NULL) {
        text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
        (void)fclose(stream);
    }
    return text;
}

/* Every line is whole JSON. @return the number of the first one, `seq`; and how many there are */
static int64_t check_lines(const char *text, unsigned *ret_count)
{
    int64_t first = 0, seq = 0;
    unsigned count = 0;

    while (*text != '\0') {
        const char *newline = strchr(text, '\n');
        struct json_object *line, *value;
        char *copy;

        assert_non_null(newline);
        copy = strndup(text, (size_t)(newline - text));
        line = json_tokener_parse(copy);
        assert_true(json_object_is_type(line, json_type_object));
        assert_true(json_object_object_get_ex(line, "seq", &value));
        assert_in_range(json_object_get_int64(value), seq + 1, UINTMAX_MAX);
        seq = json_object_get_int64(value);
        first = count++ == 0 ? seq : first;
        json_object_put(line);
        free(copy);
        text = newline + 1;
    }
    *ret_count = count;
    return first;
}

static void test_a_line_has_its_members_in_order(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 1);
    static const uint8_t mac[] = {0x52, 0x54, 0, 0x12, 0x34, 0xfe};
    struct fields fields = {.count = 0};
    const char *text;
    unsigned count;

    (void)state;
    fields_text(&fields, "token", "swiotlb=0x1000,4096");
    fields_text(&fields, "text", "a\"b\\c\nd/e\x01");
    fields_number(&fields, "least", 0);
    fields_number(&fields, "most", UINT64_MAX);
    fields_flag(&fields, "yes", true);
    fields_flag(&fields, "no", false);
    fields_address(&fields, "base", UINT64_MAX);
    fields_address(&fields, "none", 0);
    fields_mac(&fields, "mac", mac);
    telemetry_emit(telemetry, TELEMETRY_APPLY_GUEST_CAPABILITIES, &source, &fields);
    telemetry_emit(telemetry, TELEMETRY_GUEST_READY, NULL, NULL);
    text = read_number(0);
    assert_int_equal(check_lines(text, &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(strncmp(text, "{\"ts\":\"20", 9), 0);
    assert_int_equal(text[33], 'Z'); /* {"ts":"YYYY-MM-DDTHH:MM:SS.uuuuuuZ" */
    assert_non_null(
        strstr(text, "Z\",\"seq\":1,\"event\":\"ApplyGuestCapabilities\",\"vm\":\"dev\",\"vm_id\":"
                     "\"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\",\"boot_id\":"
                     "\"11111111-2222-3333-4444-555555555555\",\"token\":\"swiotlb=0x1000,4096\","
                     "\"text\":\"a\\\"b\\\\c\\nd/e\\u0001\",\"least\":0,"
                     "\"most\":18446744073709551615,\"yes\":true,\"no\":false,"
                     "\"base\":\"0xffffffffffffffff\",\"none\":\"0x0\","
                     "\"mac\":\"52:54:00:12:34:fe\"}\n"));
    assert_non_null(strstr(text, "Z\",\"seq\":2,\"event\":\"GuestReady\",\"vm\":null,"
                                 "\"vm_id\":null,\"boot_id\":null}\n"));
    assert_int_equal(telemetry_count(telemetry, TELEMETRY_GUEST_READY), 1);
    assert_int_equal(telemetry_lost(telemetry), 0);
    assert_null(telemetry_free(telemetry));
}

#define DROPPED "\"EventsDropped\",\"vm\":null,\"vm_id\":null,\"boot_id\":null,\"count\":"

/* Longer than any file may be: lost, counted, and no reader sees a part of it. */
static void test_a_line_that_is_too_long_is_lost(void **state)
{
    static char text[JSON_LINE_BYTES + 1];
    struct telemetry *telemetry = open_file(1 << 20, 1);
    struct fields fields = {.count = 0};
    unsigned count;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    fields_text(&fields, "text", text);
    telemetry_emit(telemetry, TELEMETRY_GUEST_LOG, &source, &fields);
    assert_string_equal(read_number(0), "");
    assert_int_equal(telemetry_lost(telemetry), 1);
    telemetry_emit(telemetry, TELEMETRY_GUEST_READY, &source, NULL);
    assert_int_equal(check_lines(read_number(0), &count), 2);
    assert_int_equal(count, 2);
    assert_non_null(strstr(read_number(0), DROPPED "1,"));
    (void)telemetry_free(telemetry);
}

static void emit(struct telemetry *telemetry, unsigned count)
{
    while (count-- > 0)
        telemetry_emit(telemetry, TELEMETRY_GUEST_CONNECTED, &source, NULL);
}

static void test_rotation_keeps_so_many_and_loses_none(void **state)
{
    struct telemetry *telemetry = open_file(1000, 3);
    int64_t next = 0;
    unsigned count;

    (void)state;
    emit(telemetry, 17);
    for (unsigned i = 3;; i--) {
        int64_t first = check_lines(read_number(i), &count);

        assert_in_range(strlen(read_number(i)), 1, 1000);
        assert_true(next == 0 || first == next);
        next = first + count;
        if (i == 0)
            break;
    }
    assert_int_equal(next, 18);
    assert_string_equal(read_number(4), "");
    (void)telemetry_free(telemetry);

    telemetry = open_file(1000, 0);
    emit(telemetry, 20);
    assert_in_range(strlen(read_number(0)), 1, 1000);
    (void)telemetry_free(telemetry);
}

static void test_a_half_line_of_a_crash_is_ended(void **state)
{
    struct telemetry *telemetry;
    FILE *stream = fopen(file, "we");
    const char *text;

    (void)state;
    assert_non_null(stream);
    (void)fputs("{\"ts\":\"2026", stream);
    (void)fclose(stream);
    telemetry = open_file(1 << 20, 1);
    emit(telemetry, 2);
    text = read_number(0);
    assert_int_equal(strncmp(text, "{\"ts\":\"2026\n{\"ts\":\"", 19), 0);
    assert_non_null(strstr(text, "\"seq\":2"));
    (void)telemetry_free(telemetry);
}

static unsigned count_event(const char *text, const char *event)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, event)) != NULL; at++)
        count++;
    return count;
}

/* What all EventsDropped in it say together. */
static unsigned sum_dropped(const char *text)
{
    static const char key[] = DROPPED;
    unsigned sum = 0;

    for (const char *at = text; (at = strstr(at, key)) != NULL; at++)
        sum += (unsigned)strtoul(at + sizeof(key) - 1, NULL, 10);
    return sum;
}

/* RLIMIT_FSIZE ends a file in the middle of a line, as a full disk does. */
static void test_a_full_disk_loses_lines_and_says_how_many(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 1);
    const struct rlimit small = {500, RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
    unsigned count, written;
    const char *text;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    emit(telemetry, 10);
    text = read_number(0);
    (void)check_lines(text, &count); /* nothing half */
    written = count_event(text, "GuestConnected");
    assert_in_range(written, 1, 9);
    assert_int_equal(telemetry_lost(telemetry), 10 - written);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &large), 0);
    emit(telemetry, 1);
    text = read_number(0);
    (void)check_lines(text, &count);
    assert_int_equal(count_event(text, "GuestConnected"), written + 1);
    assert_int_equal(sum_dropped(text), 10 - written);
    assert_non_null(strstr(text, "\"reason\":\""));
    (void)telemetry_free(telemetry);
}

static void test_a_missing_file_is_made_when_it_can_be(void **state)
{
    struct telemetry *telemetry;
    char kept[128];
    unsigned count;

    (void)state;
    (void)snprintf(kept, sizeof(kept), "%s", file);
    (void)snprintf(file, sizeof(file), "%s/a/b/t.jsonl", directory);
    telemetry = open_file(1 << 20, 1);
    emit(telemetry, 3);
    assert_int_equal(telemetry_lost(telemetry), 3);
    (void)snprintf(file, sizeof(file), "%s/a", directory);
    assert_int_equal(mkdir(file, 0700), 0);
    (void)snprintf(file, sizeof(file), "%s/a/b/t.jsonl", directory);
    emit(telemetry, 1); /* makes b */
    (void)check_lines(read_number(0), &count);
    assert_int_equal(count, 2);
    assert_int_equal(telemetry_lost(telemetry), 3);
    (void)telemetry_free(telemetry);
    (void)snprintf(file, sizeof(file), "%s", kept);
}

static void test_it_can_be_reopened_after_logrotate(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 1);
    char moved[160];
    unsigned count;

    (void)state;
    emit(telemetry, 2);
    (void)snprintf(moved, sizeof(moved), "%s.1", file);
    assert_int_equal(rename(file, moved), 0);
    (void)usleep(TELEMETRY_FILE_LOOK_MS * 1000u);
    telemetry_reopen(telemetry, NULL);
    emit(telemetry, 1);
    assert_int_equal(check_lines(read_number(1), &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(check_lines(read_number(0), &count), 3);
    assert_int_equal(count, 1);
    (void)telemetry_free(telemetry);
}

static void test_a_file_that_goes_is_made_anew(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 1);
    char moved[160];
    unsigned count;

    (void)state;
    emit(telemetry, 2);
    (void)snprintf(moved, sizeof(moved), "%s.1", file);
    assert_int_equal(rename(file, moved), 0);
    (void)usleep(TELEMETRY_FILE_LOOK_MS * 1000u);
    emit(telemetry, 1); /* no reopening was asked for */
    assert_int_equal(check_lines(read_number(1), &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(check_lines(read_number(0), &count), 3);
    assert_int_equal(count, 1);
    assert_int_equal(telemetry_lost(telemetry), 0);
    assert_int_equal(unlink(file), 0);
    (void)usleep(TELEMETRY_FILE_LOOK_MS * 1000u);
    emit(telemetry, 1);
    assert_int_equal(telemetry_lost(telemetry), 1);
    assert_non_null(strstr(read_number(0), "\"count\":1,\"reason\":\"the file was removed\""));
    (void)check_lines(read_number(0), &count);
    assert_int_equal(count, 2);
    (void)telemetry_free(telemetry);
}

static void test_a_pipe_without_a_reader_holds_nobody_up(void **state)
{
    struct telemetry *telemetry;

    (void)state;
    assert_int_equal(mkfifo(file, 0600), 0);
    telemetry = open_file(1 << 20, 1);
    emit(telemetry, 1);
    assert_int_equal(telemetry_lost(telemetry), 1);
    (void)telemetry_free(telemetry);
}

/* A device that takes nothing: each line is lost, and none is tried for ever. */
static void test_what_cannot_be_written_is_lost(void **state)
{
    const struct config_telemetry config = {
        .file = (char *)"/dev/full", .max_bytes = 1 << 20, .keep = 1};
    struct telemetry *telemetry = NULL;

    (void)state;
    assert_int_equal(telemetry_new(&config, &telemetry), 0);
    emit(telemetry, 3);
    assert_int_equal(telemetry_lost(telemetry), 3);
    (void)telemetry_free(telemetry);
}

/* Nothing is moved away for a line that no file has room for. */
static void test_an_empty_file_is_not_rotated(void **state)
{
    struct telemetry *telemetry = open_file(10, 3);
    char moved[160];
    unsigned count;

    (void)state;
    emit(telemetry, 1);
    (void)snprintf(moved, sizeof(moved), "%s.1", file);
    assert_int_equal(access(moved, F_OK), -1);
    (void)check_lines(read_number(0), &count);
    assert_int_equal(count, 1);
    (void)telemetry_free(telemetry);
}

/* One more that fits exactly does. */
static void test_a_file_is_filled_up_to_its_bound(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 3);
    size_t size;
    unsigned count;

    (void)state;
    emit(telemetry, 2);
    size = strlen(read_number(0));
    (void)telemetry_free(telemetry);
    for (size_t less = 0; less < 2; less++) {
        assert_int_equal(unlink(file), 0);
        telemetry = open_file(size - less, 3);
        emit(telemetry, 2);
        (void)check_lines(read_number(0), &count);
        assert_int_equal(count, less == 0 ? 2 : 1);
        (void)telemetry_free(telemetry);
    }
}

/* The names of the older ones cannot be moved: the file goes on. */
static void test_a_file_that_cannot_be_rotated_goes_on(void **state)
{
    struct telemetry *telemetry = open_file(1000, 1);
    char blocked[160], inside[192];
    unsigned count;

    (void)state;
    (void)snprintf(blocked, sizeof(blocked), "%s.1", file);
    (void)snprintf(inside, sizeof(inside), "%s/x", blocked);
    assert_int_equal(mkdir(blocked, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    emit(telemetry, 20);
    assert_int_equal(telemetry_lost(telemetry), 0);
    assert_int_equal(check_lines(read_number(0), &count), 1);
    assert_int_equal(count, 20);
    (void)telemetry_free(telemetry);
}

struct ear {
    unsigned lines;
    size_t size;
    struct telemetry *telemetry;
    int subscription;
};

static void on_line(void *userdata, const char *line, size_t size)
{
    struct ear *ear = userdata;

    assert_int_equal(line[0], '{');
    assert_int_equal(line[size - 1], '}');
    ear->lines++;
    if (ear->lines == 2)
        telemetry_unsubscribe(ear->telemetry, ear->subscription);
}

static void test_subscribers_hear_every_line(void **state)
{
    struct telemetry *telemetry = open_file(1 << 20, 1);
    struct ear ear = {.telemetry = telemetry};

    (void)state;
    ear.subscription = telemetry_subscribe(telemetry, on_line, &ear);
    assert_true(ear.subscription >= 0);
    emit(telemetry, 5);
    assert_int_equal(ear.lines, 2);
    for (int i = 0; i < 64; i++)
        assert_true(telemetry_subscribe(telemetry, on_line, &ear) >= 0);
    assert_int_equal(telemetry_subscribe(telemetry, on_line, &ear), -EUSERS);
    (void)telemetry_free(telemetry);
}

static void test_every_event_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < TELEMETRY_EVENT_COUNT; i++) {
        assert_non_null(telemetry_event_name((enum telemetry_event)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(telemetry_event_name((enum telemetry_event)i),
                                    telemetry_event_name((enum telemetry_event)j));
    }
    assert_string_equal(telemetry_event_name(TELEMETRY_GUEST_CONNECTED), "GuestConnected");
    assert_string_equal(telemetry_event_name(TELEMETRY_EVENTS_DROPPED), "EventsDropped");
}

static void test_journal_names_and_messages(void **state)
{
    struct fields fields = {.count = 0};
    char text[256];

    (void)state;
    fields_number(&fields, "cid", 4);
    fields_text(&fields, "text", "a\nb\u202ec");
    journal_format_field_name("HvPciSwiotlbBase", text, sizeof(text));
    assert_string_equal(text, "GUESTLINK_HV_PCI_SWIOTLB_BASE");
    journal_format_field_name("shareCount", text, sizeof(text));
    assert_string_equal(text, "GUESTLINK_SHARE_COUNT");
    journal_format_field_name("ready_ms", text, sizeof(text));
    assert_string_equal(text, "GUESTLINK_READY_MS");
    journal_format_field_name("abcdefghijklmnop", text, 16);
    assert_in_range(strlen(text), 10, 15);
    journal_format_message(TELEMETRY_GUEST_CONNECTED, &source, &fields, text, sizeof(text));
    assert_string_equal(text, "vm dev: a guest connected (cid 4, text a b?c)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_has_its_members_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_that_is_too_long_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rotation_keeps_so_many_and_loses_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_half_line_of_a_crash_is_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_loses_lines_and_says_how_many, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_file_is_made_when_it_can_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_be_reopened_after_logrotate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_goes_is_made_anew, set_up, tear_down),
        cmocka_unit_test(test_what_cannot_be_written_is_lost),
        cmocka_unit_test_setup_teardown(test_an_empty_file_is_not_rotated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_is_filled_up_to_its_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_rotated_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_pipe_without_a_reader_holds_nobody_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_subscribers_hear_every_line, set_up, tear_down),
        cmocka_unit_test(test_every_event_has_a_name),
        cmocka_unit_test(test_journal_names_and_messages),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
