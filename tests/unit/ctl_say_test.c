/* say: a terminal is spared control characters; sizes for people. */
#include "descriptors.h"
#include "say.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_terminal_is_spared_control_characters),
        cmocka_unit_test(test_sizes_for_people),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
