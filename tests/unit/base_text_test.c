/* text: what a guest writes cannot steer a terminal, nor hide. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wire_text text_of(const char *data, size_t size)
{
    return (struct wire_text){.data = data, .size = size};
}

static void texts_of_guests_cannot_steer_a_terminal(void **state)
{
    char buffer[16];

    (void)state;
    text_take(text_of("a\x1b[2J\nb\x7f", 8), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a [2J b ");
    text_take(text_of("a\xc2\x9b"
                      "b",
                      4),
              buffer, sizeof(buffer));
    assert_string_equal(buffer, "a b");
    text_take(text_of("a\0b", 3), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a b");
    text_take(text_of("a\xff", 2), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a?");
    text_take(text_of(NULL, 0), buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
}

static void what_is_not_seen_is_shown(void **state)
{
    static const struct {
        const char *text, *clean;
    } texts[] = {
        {"plain, \u00e4\u20ac\U0001f600", "plain, \u00e4\u20ac\U0001f600"},
        {"\xc2\x9f\u00a0", " \u00a0"}, /* the last C1; a blank that shows */
        {"a\xc2\x85"
         "b\u2028c\u2029d",
         "a b c d"},                                              /* they end lines */
        {"\u200e\u200f\u061c", "???"},                            /* directions: marks */
        {"\u202a\u202b\u202c\u202d\u202e", "?????"},              /* embeddings and overrides */
        {"\u2066\u2067\u2068\u2069", "????"},                     /* isolates */
        {"a\u200bb\u200cc\u200dd\u2060e", "a?b?c?d?e"},           /* no width */
        {"\ufeff\u00ad\u180e\u3164\ufffb\ufe0f", "??????"},       /* no picture */
        {"\U000e0001\U000e0041\U000e007f", "???"},                /* tags: hidden ASCII */
        {"\u2027\u202f\u2070\ufffd", "\u2027\u202f\u2070\ufffd"}, /* neighbours */
        {"\xff\xc3\xe2\x82z\xed\xa0\x80", "????z???"},
    };
    char buffer[64];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)snprintf(buffer, sizeof(buffer), "%s", texts[i].text);
        assert_int_equal(text_clean(buffer), strlen(texts[i].clean));
        assert_string_equal(buffer, texts[i].clean);
    }
}

static void texts_are_cut_between_characters(void **state)
{
    char buffer[5];

    (void)state;
    text_take(text_of("abc\xc3\xa4", 5), buffer, sizeof(buffer));
    assert_string_equal(buffer, "abc");
    text_take(text_of("ab\xc3\xa4z", 5), buffer, sizeof(buffer));
    assert_string_equal(buffer, "ab\xc3\xa4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_guests_cannot_steer_a_terminal),
        cmocka_unit_test(what_is_not_seen_is_shown),
        cmocka_unit_test(texts_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
