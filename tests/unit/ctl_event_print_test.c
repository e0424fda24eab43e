/* event print: a line of telemetry as a person reads it. */
#include "descriptors.h"
#include "event_print.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char printed[1 << 16];
static struct event_print print;

static const char *print_event(const char *json)
{
    struct json_object *event = json_tokener_parse(json);
    int saved = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    size_t size;

    assert_non_null(event);
    (void)fflush(stdout);
    assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
    event_print(&print, event);
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    rewind(file);
    size = fread(printed, 1, sizeof(printed) - 1, file);
    printed[size] = '\0';
    (void)fclose(file);
    json_object_put(event);
    return printed;
}

#define HEAD(day) "{\"ts\":\"2026-11-" day "T11:30:00.123456Z\",\"event\":\"GuestReady\","

static int set_up(void **state)
{
    (void)state;
    print = (struct event_print){0};
    (void)print_event(HEAD("21") "\"vm\":\"dev\"}");
    return 0;
}

/* What stands behind the event's name of one that is of the same day. */
static void need_words(const char *members, const char *words)
{
    char json[8192], *found;

    (void)snprintf(json, sizeof(json), HEAD("21") "\"vm\":\"dev\"%s%s}", *members ? "," : "",
                   members);
    found = strstr((char *)(uintptr_t)print_event(json), "GuestReady");
    assert_non_null(found);
    assert_string_equal(found + strlen("GuestReady"), words);
}

static void each_day_is_said_once(void **state)
{
    (void)state;
    assert_int_equal(strncmp(print_event(HEAD("22") "\"vm\":\"dev\"}"), "2026-11-22 (UTC)\n", 17),
                     0);
    assert_int_equal(strncmp(print_event(HEAD("22") "\"vm\":\"dev\"}"), "11:30:00.123", 12), 0);
    assert_non_null(strstr(printed, " dev "));
    assert_null(strchr(printed, '('));
    (void)print_event(HEAD("22") "\"vm\":\"\"}"); /* nobody's */
    assert_non_null(strstr(printed, " - "));
    assert_int_equal(strncmp(print_event(HEAD("23") "\"vm\":\"dev\"}"), "2026-11-23 (UTC)\n", 17),
                     0);
    (void)print_event("{\"ts\":\"x\",\"event\":\"GuestReady\",\"vm\":\"dev\"}");
    assert_null(strchr(printed, '('));
}

static void members_stand_behind_the_name_in_units_for_people(void **state)
{
    (void)state;
    need_words("", "\n");
    need_words("\"reason\":\"words\"", " reason=words\n");
    need_words("\"a\":1,\"b\":\"2\",\"c\":3", " a=1  b=2  c=3\n");
    need_words("\"ready_ns\":2500000", " ready=2.5ms\n");
    need_words("\"bytes\":1023,\"size\":1024", " bytes=1023  size=1 KiB\n");
    need_words("\"number\":4096", " number=4096\n");
    need_words("\"poolsize\":67108864", " poolsize=64 MiB\n");
}

static void what_says_nothing_is_left_out(void **state)
{
    (void)state;
    need_words("\"error\":0,\"at_ns\":0,\"at_us\":0,\"count\":0", " count=0\n");
    need_words("\"error\":5,\"at_ns\":1000000", " error=5  at=1.0ms\n");
}

static void what_a_guest_said_is_clean(void **state)
{
    (void)state;
    need_words("\"text\":\"a\\u001b[31mb\"", " text=a [31mb\n");
}

/* 80 columns where stdout is no terminal. */
static void long_words_go_on_below(void **state)
{
    char members[6000] = "", *at = members;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        at += snprintf(at, sizeof(members) - (size_t)(at - members), "%s\"key%03u\":\"value%03u\"",
                       i ? "," : "", i, i);
    {
        char json[8192];
        unsigned lines = 0;

        (void)snprintf(json, sizeof(json), HEAD("21") "\"vm\":\"dev\",%s}", members);
        (void)print_event(json);
        for (char *line = strtok(printed, "\n"); line; line = strtok(NULL, "\n")) {
            assert_in_range(strlen(line), 1, 80);
            assert_true(lines++ == 0 || line[0] == ' ');
        }
        assert_in_range(lines, 20, 60);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_day_is_said_once),
        TEST(members_stand_behind_the_name_in_units_for_people),
        TEST(what_says_nothing_is_left_out),
        TEST(what_a_guest_said_is_clean),
        TEST(long_words_go_on_below),
    };

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
