/* say: a terminal is spared control characters; sizes for people. */
#include "descriptors.h"
#include "say.h"

#include <locale.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

static void test_a_terminal_is_spared_control_characters(void **state)
{
    static const struct {
        const char *text, *sane;
    } texts[] = {
        {"plain", "plain"},
        {"a\033[31mb", "a [31mb"},
        {"a\r\n\tb\x7f", "a   b "},
        {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
        {"a\xc2\x9b"
         "31mb",
         "a 31mb"}, /* C1: CSI in one character */
        {"a\xff\xc3", "a??"},
        {"a\u202egpj.exe", "a?gpj.exe"},
    };

    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        skip();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *copy = strdup(texts[i].text);

        say_sanitise(copy);
        assert_string_equal(copy, texts[i].sane);
        free(copy);
    }
    assert_int_equal(say_width("a\xc3\xa4\xe2\x82\xac"), 3);
}

static void test_sizes_for_people(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(say_size(0, text), "0 bytes");
    assert_string_equal(say_size(1023, text), "1023 bytes");
    assert_string_equal(say_size(67108864, text), "64 MiB");
    assert_string_equal(say_size(UINT64_C(3) << 29, text), "1.5 GiB");
    assert_string_equal(say_size(1024, text), "1 KiB");
    assert_string_equal(say_size(1075, text), "1 KiB"); /* 1.0498 */
    assert_string_equal(say_size(1076, text), "1.1 KiB");
    assert_string_equal(say_size(1048575, text), "1024.0 KiB");
    assert_string_equal(say_size(UINT64_C(1) << 40, text), "1 TiB");
    assert_string_equal(say_size(UINT64_C(1) << 50, text), "1024 TiB"); /* the last unit */
}

/* What @p act writes to @p fd while that is a terminal of so many columns, or (0) a file. */
static const char *written(int fd, unsigned short columns, void (*act)(void))
{
    static char text[8192];
    FILE *stream = fd == STDOUT_FILENO ? stdout : stderr;
    const struct winsize window = {.ws_row = 25, .ws_col = columns};
    int saved = dup(fd), master = -1, slave = -1;
    size_t size = 0;
    ssize_t n;

    (void)fflush(stream);
    if (columns > 0) {
        struct termios raw;

        assert_int_equal(openpty(&master, &slave, NULL, NULL, &window), 0);
        assert_int_equal(tcgetattr(slave, &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    } else {
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        master = ends[0];
        slave = ends[1];
    }
    assert_int_equal(dup2(slave, fd), fd);
    act();
    (void)fputc('!', stream); /* there is something to read */
    (void)fflush(stream);
    assert_int_equal(dup2(saved, fd), fd);
    (void)close(saved);
    do { /* a terminal gives it in pieces */
        n = read(master, text + size, sizeof(text) - 1 - size);
        assert_true(n > 0);
        size += (size_t)n;
    } while (text[size - 1] != '!');
    text[size - 1] = '\0';
    (void)close(master);
    (void)close(slave);
    return text;
}

static void say_all_colours(void)
{
    for (unsigned i = 0; i < SAY_COLOURS; i++)
        say_text(i, "x");
}

static void say_control_characters(void)
{
    say_format(SAY_PLAIN, "%d\033[2J", 7);
}

static void test_colours_are_for_terminals_that_may_have_them(void **state)
{
    static const struct {
        const char *none, *terminal;
        unsigned short columns;
        bool colours;
    } rows[] = {
        {NULL, "xterm", 80, true}, {NULL, NULL, 80, true},    {"", "xterm", 80, true},
        {"1", "xterm", 80, false}, {NULL, "dumb", 80, false}, {NULL, "xterm", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)(rows[i].none ? setenv("NO_COLOR", rows[i].none, 1) : unsetenv("NO_COLOR"));
        (void)(rows[i].terminal ? setenv("TERM", rows[i].terminal, 1) : unsetenv("TERM"));
        assert_string_equal(written(STDOUT_FILENO, rows[i].columns, say_all_colours),
                            rows[i].colours ? "x\033[1mx\033[0m\033[2mx\033[0m\033[31mx\033[0m"
                                              "\033[32mx\033[0m\033[33mx\033[0m"
                                            : "xxxxxx");
    }
    (void)unsetenv("NO_COLOR");
    assert_string_equal(written(STDOUT_FILENO, 80, say_control_characters), "7 [2J");
    assert_string_equal(written(STDOUT_FILENO, 0, say_control_characters), "7 [2J");
}

static unsigned columns;

static void note_columns(void)
{
    columns = say_columns();
}

static void test_lines_are_as_wide_as_a_sensible_terminal(void **state)
{
    static const struct {
        unsigned short terminal;
        unsigned columns;
    } rows[] = {{0, 80}, {39, 80}, {40, 40}, {100, 100}, {199, 199}, {200, 200}, {201, 200}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)written(STDOUT_FILENO, rows[i].terminal, note_columns);
        assert_int_equal(columns, rows[i].columns);
    }
}

#define WORDS "one two three four five six seven eight nine ten eleven twelve thirteen"

static void say_long(void)
{
    say_wrapped(SAY_PLAIN, WORDS, 10);
}

static void say_nothing(void)
{
    say_wrapped(SAY_PLAIN, "", 10);
}

/* No room at all: a word in each line. */
static void say_narrow(void)
{
    say_wrapped(SAY_PLAIN, "one two", 80);
}

static void test_text_is_wrapped_behind_its_margin(void **state)
{
    (void)state;
    assert_string_equal(written(STDOUT_FILENO, 40, say_long),
                        "one two three four five six\n"
                        "          seven eight nine ten eleven\n"
                        "          twelve thirteen\n");
    assert_string_equal(written(STDOUT_FILENO, 0, say_long),
                        "one two three four five six seven eight nine ten eleven twelve\n"
                        "          thirteen\n");
    assert_string_equal(written(STDOUT_FILENO, 0, say_nothing), "\n");
    assert_string_equal(written(STDOUT_FILENO, 40, say_narrow),
                        "one\n"
                        "                                                                      "
                        "          two\n");
}

static void say_long_error(void)
{
    say_error("%s", WORDS);
}

static void say_empty_error(void)
{
    say_error("%s", "");
}

static void say_rude_error(void)
{
    say_error("\"%s\"", "a\033[2Jb\nc");
}

/* An error prints no control character of a guest or a file to the terminal. */
static void test_errors_have_no_control_characters(void **state)
{
    (void)state;
    assert_string_equal(written(STDERR_FILENO, 0, say_rude_error), "guestlinkctl: \"a [2Jb c\"\n");
    assert_string_equal(written(STDERR_FILENO, 80, say_rude_error), "guestlinkctl: \"a [2Jb c\"\n");
}

static void test_errors_have_the_programs_name(void **state)
{
    (void)state;
    assert_string_equal(written(STDERR_FILENO, 0, say_long_error), "guestlinkctl: " WORDS "\n");
    say_set_program("other");
    assert_string_equal(written(STDERR_FILENO, 0, say_long_error), "other: " WORDS "\n");
    assert_string_equal(written(STDERR_FILENO, 40, say_long_error),
                        "other: one two three four five six seven\n"
                        "       eight nine ten eleven twelve\n"
                        "       thirteen\n");
    assert_string_equal(written(STDERR_FILENO, 40, say_empty_error), "other: \n");
    say_set_program("guestlinkctl");
}

static void say_some_lines(void)
{
    say_lines("a\033b\n\nc");
}

static void say_some_json(void)
{
    struct json_object *object = json_tokener_parse("{\"a\": \"b/c\"}");

    say_json(object);
    json_object_put(object);
}

/* For people on a terminal; for programs as it is. */
static void test_lines_are_cleaned_for_a_terminal(void **state)
{
    (void)state;
    assert_string_equal(written(STDOUT_FILENO, 80, say_some_lines), "a b\n\nc\n");
    assert_string_equal(written(STDOUT_FILENO, 0, say_some_lines), "a\033b\n\nc\n");
    assert_string_equal(written(STDOUT_FILENO, 0, say_some_json), "{\"a\":\"b/c\"}\n");
    assert_string_equal(written(STDOUT_FILENO, 80, say_some_json), "{\n  \"a\": \"b/c\"\n}\n");
}

static void test_width_is_counted_in_columns(void **state)
{
    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        skip();
    assert_int_equal(say_width(""), 0);
    assert_int_equal(say_width("abc"), 3);
    assert_int_equal(say_width("a\001z"), 3);
    assert_int_equal(say_width("a\xffz"), 2); /* what follows is counted */
    assert_true(say_has_utf8());
    assert_non_null(setlocale(LC_CTYPE, "C"));
    assert_false(say_has_utf8());
}

/* Which another program's terminal cannot show. */
static void test_without_utf8_there_is_ascii_alone(void **state)
{
    char text[] = "a\xc3\xa4~";

    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C"));
    say_sanitise(text);
    assert_string_equal(text, "a?\?~");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_terminal_is_spared_control_characters),
        cmocka_unit_test(test_sizes_for_people),
        cmocka_unit_test(test_colours_are_for_terminals_that_may_have_them),
        cmocka_unit_test(test_lines_are_as_wide_as_a_sensible_terminal),
        cmocka_unit_test(test_text_is_wrapped_behind_its_margin),
        cmocka_unit_test(test_errors_have_the_programs_name),
        cmocka_unit_test(test_errors_have_no_control_characters),
        cmocka_unit_test(test_lines_are_cleaned_for_a_terminal),
        cmocka_unit_test(test_width_is_counted_in_columns),
        cmocka_unit_test(test_without_utf8_there_is_ascii_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
