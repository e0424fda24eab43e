/* sink: what a process writes is kept within its bound, the first of it or the last, and no process
 * that writes on holds up the loop. */
#include "base/sink.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static sd_event *event;
static struct sink *sink;
static int writer;

static int set_up(void **state)
{
    (void)state;
    writer = -1;
    return sd_event_new(&event) < 0 ? -1 : 0;
}

static void close_writer(void)
{
    if (writer >= 0)
        (void)close(writer);
    writer = -1;
}

static int tear_down(void **state)
{
    (void)state;
    sink = sink_free(sink);
    close_writer();
    event = sd_event_unref(event);
    return 0;
}

/* In place of the one before it. */
static void make(enum sink_keep keep, size_t max)
{
    int ends[2];

    sink = sink_free(sink);
    close_writer();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    writer = ends[1];
    assert_int_equal(sink_new(event, ends[0], keep, max, &sink), 0);
}

static void write_all(const void *data, size_t size)
{
    assert_int_equal(write(writer, data, size), size);
}

/* Writes @p text, which the sink reads on its own. */
static void say(const char *text)
{
    write_all(text, strlen(text));
    sink_drain(sink);
}

static void need(const char *text)
{
    size_t size;

    assert_string_equal(sink_data(sink, &size), text);
    assert_int_equal(size, strlen(text));
}

static void the_first_is_kept_and_more_is_an_overflow(void **state)
{
    (void)state;
    make(SINK_KEEP_FIRST, 6);
    need("");
    say("abcd");
    need("abcd");
    say("ef");
    need("abcdef");
    assert_false(sink_has_overflown(sink));
    say("g");
    need("abcdef");
    assert_true(sink_has_overflown(sink));

    make(SINK_KEEP_FIRST, 6);
    say("abcd");
    say("efgh"); /* as much of it as fits */
    need("abcdef");
    assert_true(sink_has_overflown(sink));
}

static void the_last_is_kept_however_it_comes(void **state)
{
    (void)state;
    make(SINK_KEEP_LAST, 6);
    say("abcd");
    say("ef");
    need("abcdef");
    say("g");
    need("bcdefg");
    say("hijk");
    need("fghijk");
    say("012345");
    need("012345");
    say("abcdefghi");
    need("defghi");
    assert_false(sink_has_overflown(sink));

    make(SINK_KEEP_LAST, 6);
    say("abcdefghi");
    need("defghi");
    make(SINK_KEEP_LAST, 6);
    say("ab");
    say("cdefghi");
    need("defghi");
}

/* More than it reads in a turn is there: others have theirs in between. */
static void a_process_that_writes_on_does_not_hold_the_loop(void **state)
{
    static char block[4096];
    const size_t blocks = 32;
    size_t size;

    (void)state;
    memset(block, 'x', sizeof(block));
    make(SINK_KEEP_FIRST, blocks * sizeof(block));
    assert_true(fcntl(writer, F_SETPIPE_SZ, blocks * sizeof(block)) >= 0);
    for (size_t i = 0; i < blocks; i++)
        write_all(block, sizeof(block));
    close_writer();
    assert_int_equal(sd_event_run(event, 0), 1);
    (void)sink_data(sink, &size);
    assert_in_range(size, sizeof(block), (blocks - 1) * sizeof(block));
    for (size_t i = 0; i < blocks && size < blocks * sizeof(block); i++) {
        assert_int_equal(sd_event_run(event, 0), 1);
        (void)sink_data(sink, &size);
    }
    assert_int_equal(size, blocks * sizeof(block));
    assert_false(sink_has_overflown(sink));
}

/* As it is asked for the last words of a process that has ended. */
static void a_drain_takes_what_several_reads_bring(void **state)
{
    static char block[3 * 4096];
    size_t size;

    (void)state;
    memset(block, 'x', sizeof(block));
    make(SINK_KEEP_FIRST, sizeof(block));
    write_all(block, sizeof(block));
    sink_drain(sink);
    (void)sink_data(sink, &size);
    assert_int_equal(size, sizeof(block));
}

static void it_waits_for_more_until_the_end_and_not_beyond(void **state)
{
    (void)state;
    make(SINK_KEEP_LAST, 6);
    sink_drain(sink); /* nothing is there yet */
    assert_int_equal(sd_event_run(event, 0), 0);
    write_all("a", 1);
    assert_int_equal(sd_event_run(event, 0), 1);
    need("a");
    write_all("b", 1);
    assert_int_equal(sd_event_run(event, 0), 1);
    need("ab");
    close_writer();
    errno = EAGAIN; /* of something before */
    sink_drain(sink);
    assert_int_equal(sd_event_run(event, 0), 0);
    sink_drain(sink);
    need("ab");
}

static void what_cannot_be_waited_for_is_closed_and_told(void **state)
{
    int fd = memfd_create("file", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(sink_new(event, fd, SINK_KEEP_LAST, 6, &sink), -EPERM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(sink_new(event, -1, SINK_KEEP_LAST, 6, &sink), -EBADF);
    assert_null(sink);
}

static void last_words_are_what_fits_of_the_end_in_one_line(void **state)
{
    static const struct {
        const char *said;
        size_t room; /* besides the NUL */
        const char *words;
    } rows[] = {
        {"", 8, ""},
        {"abcde", 6, "abcde"},
        {"abcde", 5, "abcde"},
        {"abcde", 4, "bcde"},
        {"abcde", 0, ""},
        {"ab\ncd", 6, "ab; cd"}, /* a line's end takes two */
        {"ab\ncd", 5, "b; cd"},
        {"ab\ncd", 4, "cd"},
        {"ab\ncd", 3, "cd"},
        {"ab\ncd\n", 8, "ab; cd"},
        {"\n\nab\n\n\ncd\n\n", 32, "ab; cd"},
        {"\n", 8, ""},
    };
    char words[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make(SINK_KEEP_LAST, 32);
        say(rows[i].said);
        memset(words, '!', sizeof(words));
        assert_ptr_equal(sink_last_words(sink, words, rows[i].room + 1), words);
        assert_string_equal(words, rows[i].words);
        for (size_t beyond = rows[i].room + 1; beyond < sizeof(words); beyond++)
            assert_int_equal(words[beyond], '!');
    }
    assert_string_equal(sink_last_words(NULL, words, sizeof(words)), "");
}

static void last_words_have_a_blank_for_a_nul(void **state)
{
    char words[64];

    (void)state;
    make(SINK_KEEP_LAST, 32);
    write_all("a\0b\n\0\nc", 7);
    sink_drain(sink);
    assert_string_equal(sink_last_words(sink, words, sizeof(words)), "a b;  ; c");
    assert_null(sink_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_kept_and_more_is_an_overflow),
        TEST(the_last_is_kept_however_it_comes),
        TEST(a_process_that_writes_on_does_not_hold_the_loop),
        TEST(a_drain_takes_what_several_reads_bring),
        TEST(it_waits_for_more_until_the_end_and_not_beyond),
        TEST(what_cannot_be_waited_for_is_closed_and_told),
        TEST(last_words_are_what_fits_of_the_end_in_one_line),
        TEST(last_words_have_a_blank_for_a_nul),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
