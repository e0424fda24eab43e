/* since: times as people write them. */
#include "descriptors.h"
#include "since.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
/* 2026-11-21T12:00:00Z */
#define NOW (UINT64_C(1795262400) * SECOND)

static const struct {
    const char *text;
    uint64_t us; /* 0: refused */
} times[] = {
    {"30s", NOW - 30 * SECOND},
    {"10m", NOW - 600 * SECOND},
    {"2h ago", NOW - 7200 * SECOND},
    {"1d", NOW - 86400 * SECOND},
    {"1w", NOW - 604800 * SECOND},
    {"today", NOW - 43200 * SECOND},
    {"yesterday", NOW - 129600 * SECOND},
    {"11:30", NOW - 1800 * SECOND},
    {"11:30:15", NOW - 1785 * SECOND},
    {"2026-11-21", NOW - 43200 * SECOND},
    {"2026-11-21 11:30", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00Z", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00.250001Z", NOW - 1800 * SECOND + 250001},
    {"2026-11-21T12:30:00+01:00", NOW - 1800 * SECOND},
    {"2026-11-21T10:00:00-01:30", NOW - 1800 * SECOND},
    {"", 0},
    {"10", 0},
    {"10x", 0},
    {"m", 0},
    {"-5m", 0},
    {"tomorrow", 0},
    {"2026-13-01", 0},
    {"2026-11-21T11:30:00+1:00", 0},
    {"99999999999999999999s", 0},
    {"999999999999w", 0},
};

static void test_times(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint64_t us = 0;
        int r = since_parse(times[i].text, NOW, &us);

        if (r != (times[i].us == 0 ? -EINVAL : 0) || us != times[i].us)
            fail_msg("\"%s\": %d, %lld s from now", times[i].text, r,
                     ((long long)us - (long long)NOW) / (long long)SECOND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
