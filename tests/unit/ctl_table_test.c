/* table: rows of as many cells as there are headings, in columns of one width, within the terminal;
 * and what say.c does with a text on its way to stdout. */
#include "descriptors.h"
#include "table.h"

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

#define MARGIN 70

static char printed[8192];
static int saved = -1;
static FILE *file;

/* What is written to stdout from here is in printed after end_capture(). */
static void begin_capture(void)
{
    assert_int_equal(fflush(stdout), 0);
    file = tmpfile();
    assert_non_null(file);
    saved = dup(STDOUT_FILENO);
    assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
}

static void end_capture(void)
{
    size_t size;

    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    rewind(file);
    size = fread(printed, 1, sizeof(printed) - 1, file);
    printed[size] = '\0';
    (void)fclose(file);
}

static void print(const char *const *headings, const char *const *cells)
{
    struct table *table = table_new(headings);

    assert_non_null(table);
    for (; *cells; cells++)
        table_add(table, SAY_GREEN, *cells);
    begin_capture();
    table_print(table);
    end_capture();
    assert_null(table_free(table));
}

static void rows_have_one_line_each_and_columns_one_width(void **state)
{
    static const char *const headings[] = {"VM", "STATE", "CID", NULL};
    static const char *const cells[] = {"a", "connected", "3", "longer", "lost", "14", NULL};

    (void)state;
    print(headings, cells);
    assert_string_equal(printed, "VM      STATE      CID\n"
                                 "a       connected  3\n"
                                 "longer  lost       14\n");
    print(headings, (const char *const[]){NULL});
    assert_string_equal(printed, "VM  STATE  CID\n");
    print((const char *const[]){"ONE", NULL}, (const char *const[]){"1", "2", NULL});
    assert_string_equal(printed, "ONE\n1\n2\n");
    print((const char *const[]){NULL}, (const char *const[]){NULL});
    assert_string_equal(printed, "");
}

static void a_note_is_under_its_row(void **state)
{
    static const char *const headings[] = {"VM", "STATE", NULL};
    struct table *table = table_new(headings);

    (void)state;
    assert_non_null(table);
    table_note(table, SAY_RED, "of no row");
    table_add(table, SAY_PLAIN, "a");
    table_add(table, SAY_PLAIN, "lost");
    table_note(table, SAY_RED, "one");
    table_note(table, SAY_RED,
               "this is what went wrong with the first of the two VMs, in more than one line has");
    table_add(table, SAY_PLAIN, "b");
    table_add(table, SAY_PLAIN, "ready");
    table_note(table, SAY_RED, "");
    begin_capture();
    table_print(table);
    end_capture();
    assert_string_equal(printed, "VM  STATE\n"
                                 "a   lost\n"
                                 "  this is what went wrong with the first of the two VMs, in more "
                                 "than one line\n"
                                 "  has\n"
                                 "b   ready\n");
    assert_null(table_free(table));
}

/* More cells than the first allocation holds. */
static void every_cell_of_many_is_printed(void **state)
{
    const char *const headings[] = {"N", NULL};
    struct table *table = table_new(headings);
    unsigned lines = 0;
    char text[16];

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        table_add(table, SAY_PLAIN, text);
    }
    begin_capture();
    table_print(table);
    end_capture();
    (void)table_free(table);
    for (const char *at = printed; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 501);
    assert_non_null(strstr(printed, "\n63\n64\n65\n"));
    assert_non_null(strstr(printed, "\n498\n499\n"));
}

/* 80 columns where stdout is no terminal. */
static void the_widest_column_gives_way(void **state)
{
    static const char *const headings[] = {"TAG", "PATH", "STATE", NULL};
    char path[121], line[256];

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    print(headings, (const char *const[]){"a", path, "in use", "b", "/x", "failed", NULL});
    assert_int_equal(sscanf(printed, "%*[^\n]\n%255[^\n]\n", line), 1);
    assert_int_equal(say_width(line), 80);
    assert_non_null(strstr(line, say_has_utf8() ? "p…  in use" : "p~  in use"));
    assert_non_null(strstr(printed, "\nb    /x "));
    /* just as wide as there is room: nothing is cut */
    path[80 - 3 - 2 - 2 - 6] = '\0';
    print(headings, (const char *const[]){"a", path, "in use", NULL});
    assert_non_null(strstr(printed, "p  in use\n"));
}

static void characters_of_several_bytes_take_the_columns_that_they_show(void **state)
{
    static const char *const headings[] = {"A", "B", NULL};

    (void)state;
    if (!say_has_utf8())
        skip();
    print(headings, (const char *const[]){"äö", "1", "xyz", "2", NULL});
    assert_string_equal(printed, "A    B\näö   1\nxyz  2\n");
}

static void a_text_goes_to_stdout_clean_and_without_colours(void **state)
{
    char wanted[256];

    (void)state;
    begin_capture();
    say_text(SAY_RED, "a\033[31mb\n");
    say_format(SAY_BOLD, "%s=%d|", "n", 7);
    say_wrapped(SAY_DIM, "first; second", MARGIN);
    say_lines("one\ntwo\n\nthree");
    end_capture();
    (void)snprintf(wanted, sizeof(wanted), "a [31mb n=7|first;\n%*ssecond\none\ntwo\n\nthree\n",
                   MARGIN, "");
    assert_string_equal(printed, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_one_line_each_and_columns_one_width),
        cmocka_unit_test(a_note_is_under_its_row),
        cmocka_unit_test(every_cell_of_many_is_printed),
        cmocka_unit_test(the_widest_column_gives_way),
        cmocka_unit_test(characters_of_several_bytes_take_the_columns_that_they_show),
        cmocka_unit_test(a_text_goes_to_stdout_clean_and_without_colours),
    };

    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
