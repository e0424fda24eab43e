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
        {"a\x7f", "a "},               /* DEL alone needs cleaning */
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

/* Each range of what is hidden, and its neighbours on both sides. */
static void ranges_begin_and_end_where_unicode_says(void **state)
{
    static const struct {
        const char *text;
        size_t visible;
    } rows[] = {
        {" ", 1},          {"~", 1},          {"\x7f", 0},       {"\x1f", 0},
        {"\u00a0", 2},     {"\u00ac", 2},     {"\u00ad", 0},     {"\u00ae", 2},
        {"\u034e", 2},     {"\u034f", 0},     {"\u0350", 2},     {"\u115e", 3},
        {"\u115f", 0},     {"\u1160", 0},     {"\u1161", 3},     {"\u200a", 3},
        {"\u200b", 0},     {"\u200f", 0},     {"\u2010", 3},     {"\u2027", 3},
        {"\u2028", 0},     {"\u202e", 0},     {"\u202f", 3},     {"\u205f", 3},
        {"\u2060", 0},     {"\u206f", 0},     {"\u2070", 3},     {"\ufdff", 3},
        {"\ufe00", 0},     {"\ufe0f", 0},     {"\ufe10", 3},     {"\U0001bca3", 0},
        {"\U0001bca4", 4}, {"\U000dffff", 4}, {"\U000e0000", 0}, {"\U000e0fff", 0},
        {"\U000e1000", 4}, {"\U0010ffff", 4}, {"\xc3", 0},       {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t visible = text_visible_size(text_of(rows[i].text, strlen(rows[i].text)));

        if (visible != rows[i].visible)
            fail_msg("row %zu: %zu", i, visible);
    }
}

static void copies_are_as_long_as_fits(void **state)
{
    char buffer[5];

    (void)state;
    text_take(text_of("abcd", 4), buffer, sizeof(buffer));
    assert_string_equal(buffer, "abcd");
    text_take(text_of("abcde", 5), buffer, sizeof(buffer));
    assert_string_equal(buffer, "abcd");
    text_take(text_of("abcd", 4), buffer, 1);
    assert_string_equal(buffer, "");
    /* nothing but the inside of characters */
    text_take(text_of("\x80\x80\x80\x80\x80\x80", 6), buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
}

static void bytes_are_written_as_digits(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                    0xff, 0x00, 0x10, 0x0f, 0xa0, 0x0a, 0x9f, 0xf9};
    char buffer[TEXT_UUID_SIZE], *end = text_hex(bytes, 4, buffer);

    (void)state;
    assert_string_equal(buffer, "01234567");
    assert_ptr_equal(end, buffer + 8);
    text_uuid(bytes, buffer);
    assert_string_equal(buffer, "01234567-89ab-cdef-ff00-100fa00a9ff9");
    text_mac(bytes + 6, buffer);
    assert_string_equal(buffer, "cd:ef:ff:00:10:0f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_guests_cannot_steer_a_terminal),
        cmocka_unit_test(what_is_not_seen_is_shown),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(ranges_begin_and_end_where_unicode_says),
        cmocka_unit_test(copies_are_as_long_as_fits),
        cmocka_unit_test(bytes_are_written_as_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
