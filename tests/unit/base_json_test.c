/* json: a document is read strictly, and its characters beyond ASCII arrive, with each json-c. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In memory of its own size, so that valgrind and the sanitizers see a read behind it. */
static struct json_object *parse(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    struct json_object *object;

    assert_non_null(copy);
    memcpy(copy, text, size); /* NOLINT(bugprone-not-null-terminated-result): it has none */
    object = json_parse_object(copy, size, 4);
    free(copy);
    return object;
}

static void characters_beyond_ascii_arrive(void **state)
{
    static const char *const texts[] = {
        "\xc3\xa9",                     /* é, two bytes */
        "\xe2\x82\xac and \xc2\x80",    /* €, three, and the first of two */
        "\xef\xbf\xbf\xf0\x90\x80\x80", /* U+FFFF, and the first of a surrogate pair */
        "\xf4\x8f\xbf\xbf",             /* U+10FFFF */
        "\xf0\x9f\x98\x80x\xc3\xbc",    /* an emoji */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char document[128];
        struct json_object *object;

        /* As a key, as a value, and behind an escaped backslash. */
        (void)snprintf(document, sizeof(document), "{\"%s\": \"\\\\%s\"}", texts[i], texts[i]);
        object = parse(document);
        assert_non_null(object);
        assert_string_equal(json_object_get_string(json_member(object, texts[i])) + 1, texts[i]);
        json_object_put(object);
    }
}

static void what_is_no_strict_utf8_object_is_refused(void **state)
{
    static const char *const documents[] = {
        "",
        "{",
        "[]",
        "null",
        "{} x",
        "{\"a\": 1,}",
        "{\"a\": [[[[1]]]]}", /* too deep */
        "{\"a\": \"\xc3\"}",
        "{\"a\": \"\xc3",
        "{\"a\": \"\xc0\x80\"}",         /* overlong */
        "{\"a\": \"\xed\xa0\x80\"}",     /* a surrogate */
        "{\"a\": \"\xf4\x90\x80\x80\"}", /* beyond U+10FFFF */
        "{\"a\": \"\xff\"}",
        "{\"a\": \"\\\xc3\xa9\"}", /* an escape that JSON has not */
        "{\"a\": \"\\\\\\\xc3\xa9\"}",
        "{\"a\": \xc3\xa9}",
        "\xef\xbb\xbf{}",
        "{}\xc2\xa0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct json_object *object = parse(documents[i]);

        if (object)
            fail_msg("taken: %s", documents[i]);
    }
}

static void ascii_is_read_as_it_stands(void **state)
{
    struct json_object *object = parse(" {\"a\": {\"b\": [\"\\u00e9\", true]}} \n");

    (void)state;
    assert_non_null(object);
    assert_string_equal(
        json_object_get_string(json_element(json_member(json_member(object, "a"), "b"), 0)),
        "\xc3\xa9");
    json_object_put(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_beyond_ascii_arrive),
        cmocka_unit_test(what_is_no_strict_utf8_object_is_refused),
        cmocka_unit_test(ascii_is_read_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
