/* process limit: an item is read as it is written, and nothing else is. */
#include "protocol/process_limit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static void each_name_of_setrlimit_is_known(void **state)
{
    static const struct {
        const char *name;
        int resource;
    } names[] = {
        {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},
        {"cpu", RLIMIT_CPU},         {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
        {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
        {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},
        {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
        {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},
        {"stack", RLIMIT_STACK},     {"sigpending", RLIMIT_SIGPENDING},
    };

    (void)state;
    assert_int_equal(sizeof(names) / sizeof(names[0]), RLIM_NLIMITS);
    for (size_t i = 0; i < RLIM_NLIMITS; i++) {
        assert_int_equal(process_limit_resource(names[i].name), names[i].resource);
        assert_non_null(strstr(PROCESS_LIMIT_NAMES, names[i].name));
    }
    assert_int_equal(process_limit_resource("files"), -1);
    assert_int_equal(process_limit_resource("NOFILE"), -1);
    assert_int_equal(process_limit_resource(""), -1);
}

static void what_is_composed_is_parsed_again(void **state)
{
    static const uint64_t numbers[] = {0, 1, 524288, UINT64_MAX - 1, PROCESS_LIMIT_UNLIMITED};

    (void)state;
    for (size_t soft = 0; soft < 5; soft++)
        for (size_t hard = soft; hard < 5; hard++) {
            char text[PROCESS_LIMIT_SIZE];
            struct process_limit limit;

            process_limit_compose(text, "sigpending", numbers[soft], numbers[hard]);
            assert_int_equal(process_limit_parse(wire_text_of(text), &limit), 0);
            assert_int_equal(limit.resource, RLIMIT_SIGPENDING);
            assert_true(limit.soft == numbers[soft] && limit.hard == numbers[hard]);
        }
}

/* Of the first limit there is (RLIMIT_CPU is 0), and beginning with any digit. */
static void each_digit_and_the_first_resource_are_taken(void **state)
{
    struct process_limit limit = {.resource = -1};
    char text[PROCESS_LIMIT_SIZE];

    (void)state;
    for (uint64_t digit = 0; digit <= 9; digit++) {
        process_limit_compose(text, "cpu", digit, digit * 11);
        assert_int_equal(process_limit_parse(wire_text_of(text), &limit), 0);
        assert_int_equal(limit.resource, RLIMIT_CPU);
        assert_true(limit.soft == digit && limit.hard == digit * 11);
    }
}

static void all_else_is_refused_and_nothing_set(void **state)
{
    static const char *const bad[] = {
        "",
        "nofile",
        "nofile 1",
        "nofile 1 2 3",
        "nofile 2 1",
        "nofile  1 2",
        "nofile 1  2",
        "nofile -1 2",
        "nofile 1 +2",
        " nofile 1 2",
        "files 1 2",
        "nofile unlimited 1",
        "nofile 1 18446744073709551616",
        "nofile 0x1 2",
        "nofile 1 2 ",
        "nofile 1 unlimited unlimited",
        "nofile /1 2",
        "nofile :1 2",
        "nofile 000000000000000000000000000000000000000000000000000000000001 2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct process_limit limit = {.resource = 4711};

        if (process_limit_parse(wire_text_of(bad[i]), &limit) != -EINVAL)
            fail_msg("\"%s\" is taken", bad[i]);
        assert_int_equal(limit.resource, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_of_setrlimit_is_known),
        cmocka_unit_test(what_is_composed_is_parsed_again),
        cmocka_unit_test(each_digit_and_the_first_resource_are_taken),
        cmocka_unit_test(all_else_is_refused_and_nothing_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
