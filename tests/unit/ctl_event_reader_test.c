/* event reader: telemetry's files while they rotate, whoever rotates them. */
#include "descriptors.h"
#include "event_reader.h"
#include "folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[FOLDER_BYTES], file[96];

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

static void append(const char *text)
{
    FILE *stream = fopen(file, "ae");

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

/* As the daemon does it, keeping three. */
static void rotate(void)
{
    char from[128], to[128];

    for (unsigned i = 3; i > 0; i--) {
        (void)snprintf(to, sizeof(to), "%s.%u", file, i);
        if (i == 1)
            (void)snprintf(from, sizeof(from), "%s", file);
        else
            (void)snprintf(from, sizeof(from), "%s.%u", file, i - 1);
        (void)rename(from, to);
    }
}

static void expect(struct event_reader *reader, const char *wanted)
{
    char *line = NULL;
    int r = event_reader_next(reader, &line);

    assert_int_equal(r, wanted == NULL ? 0 : 1);
    if (wanted != NULL)
        assert_string_equal(line, wanted);
}

static void test_rotated_files_are_read_oldest_first(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    assert_int_equal(event_reader_new(file, false, &reader), -ENOENT);
    append("1\n2\n");
    rotate();
    append("3\n");
    rotate();
    append("4\nhalf");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, "3");
    expect(reader, "4");
    expect(reader, NULL);
    assert_false(event_reader_take_gap(reader));
    assert_null(event_reader_free(reader));
}

static void test_nothing_is_lost_when_it_rotates_while_it_is_read(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    append("1\n");
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    expect(reader, "1");
    append("2\n");
    rotate();
    append("3\n");
    rotate();
    append("4\nfi");
    expect(reader, "2");
    expect(reader, "3");
    expect(reader, "4");
    append("ve\n");
    expect(reader, "five");
    rotate();
    append("6\n");
    expect(reader, "6");
    assert_false(event_reader_take_gap(reader));

    for (int i = 0; i < 5; i++) { /* more than is kept */
        rotate();
        append("later\n");
    }
    expect(reader, "later");
    (void)event_reader_free(reader);
}

static void test_logrotate_s_ways_are_followed(void **state)
{
    struct event_reader *reader = NULL;
    char moved[128];

    (void)state;
    append("1\n");
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    expect(reader, "1");
    (void)snprintf(moved, sizeof(moved), "%s-20261121", file);
    assert_int_equal(rename(file, moved), 0);
    append("2\n");
    expect(reader, "2");
    assert_false(event_reader_take_gap(reader));
    append("a longer line\n");
    expect(reader, "a longer line");
    assert_int_equal(truncate(file, 0), 0); /* copytruncate */
    append("3\n");
    expect(reader, "3");
    (void)event_reader_free(reader);
}

static void test_a_line_without_end_is_left_out(void **state)
{
    static char line[EVENT_READER_LINE_BYTES * 3];
    struct event_reader *reader = NULL;

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    append("1\n");
    append(line);
    append("\n2\n");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, NULL);
    (void)event_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rotated_files_are_read_oldest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_when_it_rotates_while_it_is_read,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logrotate_s_ways_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_without_end_is_left_out, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
