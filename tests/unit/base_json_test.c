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

/* Whatever others wrote, in whatever place: what it is not, it is not taken for. */
static void values_are_read_by_their_type(void **state)
{
    static const struct {
        const char *json;
        bool object, flag, number, words;
        size_t count;
    } rows[] = {
        {"null", false, false, false, false, 0},         {"{}", true, false, false, false, 0},
        {"{\"0\": 1}", true, false, false, false, 0},    {"[]", false, false, false, false, 0},
        {"[1, null, 3]", false, false, false, false, 3}, {"true", false, true, false, false, 0},
        {"false", false, false, false, false, 0},        {"1", false, false, true, false, 0},
        {"1.0", false, false, false, false, 0},          {"\"1\"", false, false, false, true, 0},
        {"\"true\"", false, false, false, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *value = json_tokener_parse(rows[i].json);
        int64_t number = 77;
        char buffer[8] = "none";

        assert_int_equal(json_is_object(value), rows[i].object);
        assert_int_equal(json_as_flag(value), rows[i].flag);
        assert_int_equal(json_as_number(value, &number), rows[i].number);
        assert_int_equal(number, rows[i].number ? 1 : 77);
        assert_int_equal(json_as_words(value, buffer, sizeof(buffer)), rows[i].words);
        assert_int_equal(strcmp(buffer, "none") != 0, rows[i].words);
        assert_int_equal(json_as_text(value, 100) != NULL, rows[i].words);
        assert_int_equal(json_count(value), rows[i].count);
        assert_null(json_element(value, rows[i].count));
        assert_null(json_element(value, SIZE_MAX));
        assert_null(json_member(value, "a"));
        json_object_put(value);
    }
}

static void elements_are_those_of_the_array(void **state)
{
    struct json_object *value = json_tokener_parse("[1, null, 3]");
    int64_t number;

    (void)state;
    assert_true(json_as_number(json_element(value, 0), &number));
    assert_int_equal(number, 1);
    assert_null(json_element(value, 1));
    assert_true(json_as_number(json_element(value, 2), &number));
    assert_int_equal(number, 3);
    json_object_put(value);
}

static void texts_have_a_bound_and_no_nul(void **state)
{
    struct json_object *text = json_object_new_string("abc");
    struct json_object *cut = json_object_new_string_len("a\0b", 3);
    struct json_object *dirty = json_object_new_string_len("a\nb\0c", 5);
    char buffer[5];

    (void)state;
    assert_string_equal(json_as_text(text, 3), "abc");
    assert_null(json_as_text(text, 2));
    assert_null(json_as_text(cut, 3));
    assert_true(json_as_words(dirty, buffer, sizeof(buffer)));
    assert_string_equal(buffer, "a b ");
    json_object_put(text);
    json_object_put(cut);
    json_object_put(dirty);
}

static void objects_have_what_was_added(void **state)
{
    struct json_object *object = json_members("n", json_object_new_int(1), "none", NULL, "t",
                                              json_texts("a", "b", "c", "d", NULL), NULL);

    (void)state;
    json_add_text(object, "text", "x");
    json_add_text(object, "empty", NULL);
    json_add_number(object, "most", UINT64_MAX);
    json_add_flag(object, "yes", 1);
    json_add_flag(object, "no", 0);
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                        "{\"n\":1,\"none\":null,\"t\":{\"a\":\"b\",\"c\":\"d\"},\"text\":\"x\","
                        "\"empty\":\"\",\"most\":18446744073709551615,\"yes\":true,\"no\":false}");
    assert_null(json_member(object, "none"));
    assert_null(json_member(object, "other"));
    json_object_put(object);
    json_add_text(NULL, "a", "b"); /* no memory for the object: nothing is added */
    json_add_number(NULL, "a", 1);
    json_add_flag(NULL, "a", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_beyond_ascii_arrive),
        cmocka_unit_test(what_is_no_strict_utf8_object_is_refused),
        cmocka_unit_test(ascii_is_read_as_it_stands),
        cmocka_unit_test(values_are_read_by_their_type),
        cmocka_unit_test(elements_are_those_of_the_array),
        cmocka_unit_test(texts_have_a_bound_and_no_nul),
        cmocka_unit_test(objects_have_what_was_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
