/* json line: whatever bytes a text has, its line is JSON, and says the same when it is read. */
#include "telemetry/json_line.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define REPLACEMENT "\xef\xbf\xbd"

static struct json_line line;

/* Reads the line strictly. */
static struct json_object *parse(void)
{
    struct json_object *object = json_parse_object(line.data, line.size, 2);

    assert_non_null(object);
    return object;
}

/* A text is written, and read back as @p expected. */
static void check(const char *text, size_t size, const char *expected, size_t expected_size)
{
    struct json_object *object, *value;

    json_line_begin(&line);
    json_line_text(&line, "text", text, size);
    assert_true(json_line_end(&line));
    assert_null(memchr(line.data, '\n', line.size - 1));
    assert_int_equal(line.data[line.size - 1], '\n');
    object = parse();
    assert_true(json_object_object_get_ex(object, "text", &value));
    assert_int_equal(json_object_get_string_len(value), expected_size);
    assert_memory_equal(json_object_get_string(value), expected, expected_size);
    json_object_put(object);
}

static void each_byte_is_read_back_or_replaced(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, 'b'};

        if (byte < 0x80)
            check(text, sizeof(text), text, sizeof(text));
        else
            check(text, sizeof(text), "a" REPLACEMENT "b", 5);
    }
}

static void characters_stay_and_what_is_none_is_replaced(void **state)
{
    static const char *const characters[] = {"\xc2\x80", "\u00e4",     "\u07ff",
                                             "\u0800",   "\u2028",     "\ud7ff",
                                             "\ufffd",   "\U00010000", "\U0010ffff"};
    static const struct {
        const char *text, *expected;
    } broken[] = {
        {"\xc3", REPLACEMENT},
        {"\xe2\x82", REPLACEMENT REPLACEMENT},
        {"\xc0\x80", REPLACEMENT REPLACEMENT},                                 /* NUL, overlong */
        {"\xed\xa0\x80", REPLACEMENT REPLACEMENT REPLACEMENT},                 /* a surrogate */
        {"\xf4\x90\x80\x80", REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT}, /* U+110000 */
        {"\xe2\"\xac\\", REPLACEMENT "\"" REPLACEMENT "\\"},
        {"\xff\xc3\xa4", REPLACEMENT "\u00e4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
        check(characters[i], strlen(characters[i]), characters[i], strlen(characters[i]));
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        check(broken[i].text, strlen(broken[i].text), broken[i].expected,
              strlen(broken[i].expected));
}

/* Who looks at the file itself is as safe as who decodes it and gets the text that there was. */
static void what_is_not_seen_is_escaped(void **state)
{
    static const char expected[] =
        "{\"text\":\"\\u0085\\u202e\\u2028\\ufeff\\udb40\\udc41\\u007f\u00e4\"}\n";
    static const char text[] = "\xc2\x85\u202e\u2028\ufeff\U000e0041\x7f\u00e4";

    (void)state;
    json_line_begin(&line);
    json_line_text(&line, "text", text, strlen(text));
    assert_true(json_line_end(&line));
    assert_int_equal(line.size, strlen(expected));
    assert_memory_equal(line.data, expected, line.size);
    check(text, strlen(text), text, strlen(text));
}

static void members_stand_in_their_order(void **state)
{
    (void)state;
    json_line_begin(&line);
    assert_true(json_line_end(&line));
    assert_memory_equal(line.data, "{}\n", 3);
    json_line_begin(&line);
    json_line_text(&line, "z", "a\"b\\c\nd/e\x01", 10);
    json_line_literal(&line, "n", "42", 2);
    json_line_text(&line, "a", "", 0);
    assert_true(json_line_end(&line));
    assert_int_equal(line.size,
                     strlen("{\"z\":\"a\\\"b\\\\c\\nd/e\\u0001\",\"n\":42,\"a\":\"\"}\n"));
    assert_memory_equal(line.data, "{\"z\":\"a\\\"b\\\\c\\nd/e\\u0001\",\"n\":42,\"a\":\"\"}\n",
                        line.size);
}

static void what_does_not_fit_is_no_line(void **state)
{
    static char text[JSON_LINE_BYTES];
    /* {"t":"…"} and a newline around it */
    const size_t most = sizeof(text) - 9;

    (void)state;
    memset(text, 'x', sizeof(text));
    json_line_begin(&line);
    json_line_text(&line, "t", text, most);
    assert_true(json_line_end(&line));
    assert_int_equal(line.size, JSON_LINE_BYTES);
    for (size_t size = most + 1; size <= sizeof(text); size++) {
        json_line_begin(&line);
        json_line_text(&line, "t", text, size);
        assert_false(json_line_end(&line));
        assert_in_range(line.size, 0, JSON_LINE_BYTES);
    }
    json_line_begin(&line);
    assert_true(json_line_end(&line));
}

/* Another reader than the one that the daemon itself uses. */
static void python_reads_each_byte(void **state)
{
    static const char program[] =
        "import json, sys\n"
        "lines = [json.loads(line)['text'] for line in open(sys.argv[1], encoding='utf-8')]\n"
        "want = ['a' + (chr(b) if b < 128 else chr(0xfffd)) + 'b' for b in range(256)]\n"
        "sys.exit(lines != want)\n";
    char path[] = "/tmp/guestlink-json-line-XXXXXX", command[1024];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, 'b'};

        json_line_begin(&line);
        json_line_text(&line, "text", text, sizeof(text));
        assert_true(json_line_end(&line));
        assert_int_equal(write(fd, line.data, line.size), line.size);
    }
    (void)close(fd);
    (void)snprintf(command, sizeof(command), "python3 -c \"%s\" %s", program, path);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own program
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_is_read_back_or_replaced),
        cmocka_unit_test(characters_stay_and_what_is_none_is_replaced),
        cmocka_unit_test(what_is_not_seen_is_escaped),
        cmocka_unit_test(members_stand_in_their_order),
        cmocka_unit_test(what_does_not_fit_is_no_line),
        cmocka_unit_test(python_reads_each_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
