/* event reader: telemetry's files while they rotate, whoever rotates them. */
#include "descriptors.h"
#include "event_reader.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    expect(reader, "later"); /* the oldest that is left */
    assert_true(event_reader_take_gap(reader));
    assert_false(event_reader_take_gap(reader)); /* told once */
    for (int i = 0; i < 3; i++)
        expect(reader, "later");
    assert_false(event_reader_take_gap(reader));
    append("last\n");
    expect(reader, "last");
    (void)event_reader_free(reader);
}

static void test_a_file_that_is_yet_to_come_is_waited_for(void **state)
{
    struct event_reader *reader = NULL;
    char nowhere[128];

    (void)state;
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    append("1\n");
    expect(reader, "1");
    assert_false(event_reader_take_gap(reader));
    assert_int_equal(unlink(file), 0); /* by hand: what it had may be lost */
    append("2\n");
    expect(reader, "2");
    assert_true(event_reader_take_gap(reader));
    reader = event_reader_free(reader);
    (void)snprintf(nowhere, sizeof(nowhere), "%s/none/t.jsonl", directory);
    assert_int_equal(event_reader_new(nowhere, true, &reader), -ENOENT);
    assert_null(reader);
}

/* @param number  0: FILE; @param at_s  when it was last written to */
static void set_time(unsigned number, time_t at_s)
{
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    char path[128];

    (void)snprintf(path, sizeof(path), number > 0 ? "%s.%u" : "%s", file, number);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_what_was_read_is_not_read_again_when_the_file_goes(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    append("1\n");
    rotate();
    append("2\n");
    rotate();
    append("3\n");
    set_time(2, 1000);
    set_time(1, 2000);
    set_time(0, 3000);
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, "3");
    assert_int_equal(unlink(file), 0);
    expect(reader, NULL); /* it is about to come again */
    append("4\n");
    expect(reader, "4");
    expect(reader, NULL);
    assert_true(event_reader_take_gap(reader));
    /* What was rotated since then is new, and FILE is, whatever the clock was. */
    set_time(0, 4000);
    append("5\n");
    set_time(0, 4000);
    expect(reader, "5");
    assert_int_equal(unlink(file), 0);
    append("6\n");
    set_time(0, 4000);
    rotate();
    append("7\n");
    set_time(0, 500);
    expect(reader, "6");
    expect(reader, "7");
    expect(reader, NULL);
    (void)event_reader_free(reader);
}

/* The reader flushes its output before it waits for the next line. */
static void test_what_was_printed_is_shown_before_it_waits(void **state)
{
    struct event_reader *reader = NULL;
    int ends[2], saved = dup(STDOUT_FILENO);
    pid_t pid;

    (void)state;
    append("1\n");
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    expect(reader, "1");
    (void)fflush(stdout);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    (void)fputs("1", stdout);
    pid = fork();
    if (pid == 0) {
        struct pollfd poller = {.fd = ends[0], .events = POLLIN};

        append(poll(&poller, 1, 30000) > 0 ? "shown\n" : "not shown\n");
        _exit(0);
    }
    expect(reader, "shown");
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)event_reader_free(reader);
}

/* In the middle of a rotation. */
static void test_a_row_without_its_newest_file_is_read(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    append("1\n");
    rotate();
    append("2\n");
    rotate();
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, NULL);
    append("3\n");
    expect(reader, "3");
    assert_false(event_reader_take_gap(reader));
    (void)event_reader_free(reader);
}

/* What follows a line's first half in another file is not its second. */
static void test_half_a_line_is_no_part_of_another(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    append("1\nhalf");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, NULL);
    rotate();
    append("2\nanother");
    expect(reader, "2");
    expect(reader, NULL);
    assert_int_equal(truncate(file, 0), 0);
    append("3\n");
    expect(reader, "3");
    expect(reader, NULL);
    (void)event_reader_free(reader);
}

/* FILE.NUMBER with its number. */
static void make_number(unsigned number)
{
    char path[128];
    FILE *stream;

    (void)snprintf(path, sizeof(path), "%s.%u", file, number);
    stream = fopen(path, "we");
    assert_non_null(stream);
    assert_true(fprintf(stream, "%u\n", number) > 0);
    assert_int_equal(fclose(stream), 0);
}

static void test_a_row_ends_at_a_hole_and_at_a_hundred(void **state)
{
    struct event_reader *reader = NULL;
    char hole[128], text[16];

    (void)state;
    append("0\n");
    for (unsigned i = 1; i <= 101; i++)
        make_number(i);
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    for (unsigned i = 101; i-- > 0;) {
        (void)snprintf(text, sizeof(text), "%u", i);
        expect(reader, text);
    }
    expect(reader, NULL);
    assert_false(event_reader_take_gap(reader));
    reader = event_reader_free(reader);
    (void)snprintf(hole, sizeof(hole), "%s.3", file);
    assert_int_equal(unlink(hole), 0);
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "2");
    expect(reader, "1");
    expect(reader, "0");
    expect(reader, NULL);
    (void)event_reader_free(reader);
}

static void test_what_cannot_be_read_is_told(void **state)
{
    struct event_reader *reader = NULL;
    char *line = NULL;
    uid_t user = geteuid();

    (void)state;
    assert_int_equal(event_reader_new(directory, false, &reader), 0);
    assert_int_equal(event_reader_next(reader, &line), -EISDIR);
    assert_null(line);
    reader = event_reader_free(reader);
    append("1\n");
    rotate();
    append("2\n");
    assert_int_equal(chmod(file, 0), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    if (user == 0)
        assert_int_equal(seteuid(65534), 0);
    /* What is readable of the rest is not taken for all. */
    assert_int_equal(event_reader_new(file, false, &reader), -EACCES);
    assert_null(reader);
    assert_int_equal(seteuid(user), 0);
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

/* Its newline counts. */
static void test_the_longest_line_is_taken(void **state)
{
    static char line[EVENT_READER_LINE_BYTES + 1];
    struct event_reader *reader = NULL;

    (void)state;
    memset(line, 'x', EVENT_READER_LINE_BYTES);
    append(line);
    append("\n1\n");
    line[EVENT_READER_LINE_BYTES - 1] = '\0';
    append(line);
    append("\n2\n");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, line);
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
        cmocka_unit_test_setup_teardown(test_a_file_that_is_yet_to_come_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_read_is_not_read_again_when_the_file_goes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_printed_is_shown_before_it_waits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_without_its_newest_file_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_line_is_no_part_of_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_ends_at_a_hole_and_at_a_hundred, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_longest_line_is_taken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
