/* options: the parts that there are, in their order, and never an empty one. */
#include "descriptors.h"
#include "protocol/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID    "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"
#define TOKEN "swiotlb=0x14000000,67108864"

static const struct {
    bool read_only;
    const char *token, *vm_id;
    const char *joined; /* NULL: -EINVAL */
} rows[] = {
    {true, TOKEN, ID, "ro;" TOKEN ";vmId=" ID},
    {false, TOKEN, ID, TOKEN ";vmId=" ID},
    {true, NULL, ID, "ro;vmId=" ID},
    {true, "", ID, "ro;vmId=" ID},
    {false, NULL, ID, "vmId=" ID},
    {true, TOKEN, NULL, "ro;" TOKEN},
    {true, TOKEN, "", "ro;" TOKEN},
    {false, TOKEN, NULL, TOKEN},
    {true, NULL, NULL, "ro"},
    {false, NULL, NULL, ""},
    {false, "", "", ""},
    {false, "a;b", ID, NULL},
    {false, TOKEN, "a;b", NULL},
    {true, ";", NULL, NULL},
};

static void parts_are_joined_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char buffer[OPTIONS_SIZE] = "before";
        int r =
            options_join(buffer, sizeof(buffer), rows[i].read_only, rows[i].token, rows[i].vm_id);

        assert_int_equal(r, rows[i].joined ? (int)strlen(rows[i].joined) : -EINVAL);
        assert_string_equal(buffer, rows[i].joined ? rows[i].joined : "before");
    }
}

static void buffer_that_is_too_small_is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t needed = rows[i].joined ? strlen(rows[i].joined) + 1 : 0;

        for (size_t capacity = 0; capacity < needed; capacity++) {
            char buffer[OPTIONS_SIZE] = "before";

            assert_int_equal(
                options_join(buffer, capacity, rows[i].read_only, rows[i].token, rows[i].vm_id),
                -ENOBUFS);
            assert_string_equal(buffer, "before");
        }
        if (needed > 0) {
            char buffer[OPTIONS_SIZE];

            assert_int_equal(
                options_join(buffer, needed, rows[i].read_only, rows[i].token, rows[i].vm_id),
                (int)needed - 1);
        }
    }
}

static void longest_token_and_id_fit(void **state)
{
    char buffer[OPTIONS_SIZE];

    (void)state;
    assert_true(options_join(buffer, sizeof(buffer), true,
                             "swiotlb=0xffffffffffffffff,18446744073709551615", ID) > 0);
}

/* A string of options has at most OPTIONS_SIZE bytes with its NUL, whatever the buffer has. */
static void longer_options_are_refused_whole(void **state)
{
    char token[OPTIONS_SIZE + 8], buffer[2 * OPTIONS_SIZE] = "before";
    uint64_t base = 1, size = 1;

    (void)state;
    memset(token, 'x', sizeof(token));
    for (size_t length = OPTIONS_SIZE - 1; length < sizeof(token); length++) {
        token[length] = '\0';
        assert_int_equal(options_join(buffer, sizeof(buffer), false, token, NULL), -ENOBUFS);
        assert_string_equal(buffer, "before");
        token[length] = 'x';
    }
    token[OPTIONS_SIZE - 2] = '\0';
    assert_int_equal(options_join(buffer, sizeof(buffer), false, token, NULL), OPTIONS_SIZE - 2);
    assert_string_equal(buffer, token);
    memset(token, 'x', sizeof(token));
    (void)memcpy(token, "vmId=", strlen("vmId="));
    token[OPTIONS_SIZE - 2] = '\0';
    assert_int_equal(options_read_token(token, &base, &size), 0);
    token[OPTIONS_SIZE - 2] = 'x';
    token[OPTIONS_SIZE] = '\0'; /* its first bytes would do */
    assert_int_equal(options_read_token(token, &base, &size), -EINVAL);
}

static void token_is_read_of_what_was_joined_and_of_nothing_else(void **state)
{
    static const char *const others[] = {
        "rw",
        "ro;",
        ";ro",
        "ro;ro",
        TOKEN ";ro",
        TOKEN ";" TOKEN,
        "ro;;" TOKEN,
        " " TOKEN,
        TOKEN " ",
        "swiotlb=0x14000000",
        "swiotlb=0x14000000,067108864",
        "swiotlb=0X14000000,67108864",
        "vmId=" ID ";" TOKEN,
        "vmId=",
        "ro;" TOKEN ";vmId=" ID ";",
        "ro;" TOKEN ";vmId=" ID ";vmId=" ID,
        "ro;" TOKEN ";vmId=" ID ID ID ID,
    };
    uint64_t base, size;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_token = rows[i].token && rows[i].token[0];

        if (!rows[i].joined)
            continue;
        base = size = 1;
        assert_int_equal(options_read_token(rows[i].joined, &base, &size), has_token);
        assert_int_equal(base, has_token ? 0x14000000 : 1);
        assert_int_equal(size, has_token ? 67108864 : 1);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        base = size = 1;
        assert_int_equal(options_read_token(others[i], &base, &size), -EINVAL);
        assert_int_equal(base + size, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_joined_as_the_table_says),
        cmocka_unit_test(token_is_read_of_what_was_joined_and_of_nothing_else),
        cmocka_unit_test(buffer_that_is_too_small_is_left_alone),
        cmocka_unit_test(longest_token_and_id_fit),
        cmocka_unit_test(longer_options_are_refused_whole),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
