/* output tail: the newest bytes, whole lines of them, with nothing that ends a string. */
#include "vm/output_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void add(struct output_tail *tail, const char *text, uint64_t lines)
{
    output_tail_add(tail, wire_text_of(text), lines);
}

static void what_fits_is_kept_whole(void **state)
{
    struct output_tail tail = {0};
    char text[OUTPUT_TAIL_BYTES + 1];

    (void)state;
    assert_int_equal(output_tail_copy(&tail, false, text), 0);
    assert_string_equal(text, "");
    add(&tail, "one\n", 0);
    output_tail_show(&tail);
    output_tail_add(&tail, (struct wire_text){.data = "t\0o\n", .size = 4}, 1);
    add(&tail, "three", 1);
    assert_int_equal(tail.hidden, 2);
    assert_int_equal(output_tail_copy(&tail, false, text), 13);
    assert_string_equal(text, "one\nt o\nthree");
    assert_int_equal(output_tail_copy(&tail, true, text), 9);
    assert_string_equal(text, "t o\nthree");
    output_tail_clear(&tail);
    assert_int_equal(output_tail_copy(&tail, false, text), 0);
}

static void of_more_the_last_lines_are_kept(void **state)
{
    struct output_tail tail = {0};
    char text[OUTPUT_TAIL_BYTES + 1], line[64];
    size_t size;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(line, sizeof(line), "line %u\n", i);
        add(&tail, line, 1);
    }
    size = output_tail_copy(&tail, true, text);
    assert_in_range(size, OUTPUT_TAIL_BYTES - sizeof(line), OUTPUT_TAIL_BYTES);
    assert_int_equal(size, strlen(text));
    assert_int_equal(strncmp(text, "line ", 5), 0);
    assert_string_equal(text + size - 12, "\nline 19999\n");
    output_tail_clear(&tail);
}

static void a_line_longer_than_all_is_cut(void **state)
{
    static char chunk[3 * OUTPUT_TAIL_BYTES + 7];
    struct output_tail tail = {0};
    char text[OUTPUT_TAIL_BYTES + 1];

    (void)state;
    memset(chunk, 'x', sizeof(chunk));
    chunk[sizeof(chunk) - 2] = 'y';
    chunk[sizeof(chunk) - 1] = '\n';
    output_tail_add(&tail, (struct wire_text){.data = chunk, .size = sizeof(chunk)}, 1);
    assert_int_equal(output_tail_copy(&tail, true, text), OUTPUT_TAIL_BYTES);
    assert_string_equal(text + OUTPUT_TAIL_BYTES - 3, "xy\n");
    output_tail_clear(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_kept_whole),
        cmocka_unit_test(of_more_the_last_lines_are_kept),
        cmocka_unit_test(a_line_longer_than_all_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
