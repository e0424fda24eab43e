/* wrap: lines break at blanks and behind semicolons. */
#include "descriptors.h"
#include "wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_lines_break_at_blanks_and_behind_semicolons(void **state)
{
    static const struct {
        const char *text, *line, *rest;
    } cases[] = {
        {"", "", ""},
        {"short", "short", ""},
        {"ten bytes.", "ten bytes.", ""},
        {"ten bytes. more", "ten bytes.", "more"},
        {"two  blanks  between", "two", "blanks  between"},
        {"a word thatislonger", "a word", "thatislonger"},
        {"thatislongerthanten more", "thatislongerthanten", "more"},
        {"ten bytes. ", "ten bytes.", ""},
        {"ninebytes ab", "ninebytes", "ab"},
        {"elevenbytes ab", "elevenbytes", "ab"},
        {" x thatislonger", " x", "thatislonger"}, /* its first blank is its own */
        {"12345678;; ab", "12345678;;", "ab"},
        {"123456789;b", "123456789;", "b"},
        {"1234567890;b", "1234567890;", "b"},
        {"a; b;1234567890", "a; b;", "1234567890"}, /* a blank is the better place */
        {"a 12345678; b", "a", "12345678; b"},
        {"ro;a=1;b=22222", "ro;a=1;", "b=22222"},
        {"thatislongerthan;ten", "thatislongerthan;", "ten"},
        {"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc \u00fc\u00fc\u00fc x",
         "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc \u00fc\u00fc\u00fc", "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = wrap_line(cases[i].text, 10);

        assert_int_equal(size, strlen(cases[i].line));
        assert_memory_equal(cases[i].text, cases[i].line, size);
        assert_string_equal(wrap_rest(cases[i].text, size), cases[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_break_at_blanks_and_behind_semicolons),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
