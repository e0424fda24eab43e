/* http request: what is said to the first bytes of one, however few they are, and where each of its
 * bounds lies. */
#include "control/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES HTTP_REQUEST_BYTES
#define HALF  (BYTES / 2)

static int judge(const char *text, size_t size)
{
    bool head = true;
    int status = http_request_judge(text, size, &head);

    assert_int_equal(head, size > 5 && memcmp(text, "HEAD ", 5) == 0 && status != 400);
    return status;
}

static void expect(const char *text, size_t size, int wanted)
{
    int status = judge(text, size);

    if (status != wanted)
        fail_msg("%.60s (%zu bytes): %d, wanted %d", text, size, status, wanted);
}

#define EXPECT(text, wanted) expect(text, sizeof(text) - 1, wanted)

static void put(char *at, const char *words)
{
    while (*words != '\0')
        *at++ = *words++;
}

/* A request of @p size bytes: @p begin, then @p fill. */
static const char *filled(const char *begin, char fill, size_t size)
{
    static char text[BYTES];

    memset(text, fill, size);
    put(text, begin);
    return text;
}

static void one_is_whole_with_its_last_byte_and_not_before(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n",
        "GET /a?b HTTP/1.9\n\n",
        "\r\nGET * HTTP/1.1\r\n\n",
        "\n\n\r\rGET / HTTP/1.1\na: b\n\r\n",
    };

    (void)state;
    assert_int_equal(judge(NULL, 0), 0);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        size_t size = strlen(requests[i]);

        for (size_t part = 0; part < size; part++) {
            bool head;

            if (http_request_judge(requests[i], part, &head) != 0)
                fail_msg("%s: %zu bytes are enough", requests[i], part);
        }
        expect(requests[i], size, 200);
    }
}

static void what_is_behind_one_is_not_read(void **state)
{
    (void)state;
    EXPECT("GET / HTTP/1.1\r\n\r\n\0no header\n", 200);
    EXPECT("HEAD / HTTP/1.1\r\n\r\nGET /", 200);
}

static void every_method_has_its_status(void **state)
{
    static const char marks[] = "!#$%&'*+-.^_`|~09AZaz";
    static const char *const known[] = {"POST",    "PUT",   "DELETE", "CONNECT",
                                        "OPTIONS", "TRACE", "PATCH"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int size = snprintf(text, sizeof(text), "%s / HTTP/1.1\n", known[i]);

        expect(text, (size_t)size, 405);
        size = snprintf(text, sizeof(text), "%sX / HTTP/1.1\n", known[i]);
        expect(text, (size_t)size, 501);
    }
    EXPECT("POS / HTTP/1.1\n", 501);
    for (unsigned c = 1; c < 256; c++) {
        int size = snprintf(text, sizeof(text), "X%c / HTTP/1.1\n", (int)c);
        bool is_one = strchr(marks, (int)c) != NULL || (c > '0' && c < '9') ||
                      (c > 'A' && c < 'Z') || (c > 'a' && c < 'z');

        if (c != ' ' && c != '\n')
            expect(text, (size_t)size, is_one ? 501 : 400);
        if (c != ' ' && c != '\r' && c != '\n')
            expect(text, 2, is_one ? 0 : 400); /* known before the line ends */
    }
    EXPECT("X\0 / HTTP/1.1\n", 400);
    EXPECT("X\0", 400);
    EXPECT(" ", 400);
    EXPECT(" / HTTP/1.1\n", 400);
}

static void a_line_is_a_method_a_target_and_a_version(void **state)
{
    (void)state;
    EXPECT("GET / HTTP/0.9\n", 505);
    EXPECT("GET / HTTP/0.0\n", 505);
    EXPECT("GET / HTTP/9.9\n", 505);
    EXPECT("POST / HTTP/2.0\n", 505);
    EXPECT("GET / HTTP/1.0\n", 0);
    EXPECT("GET / HTTP/1.9\n", 0);
    EXPECT("GET / HTTP/1.:\n", 400);
    EXPECT("GET / HTTP/1./\n", 400);
    EXPECT("GET / HTTP/:.1\n", 400);
    EXPECT("GET / HTTP//.1\n", 400);
    EXPECT("GET / HTTP/1,1\n", 400);
    EXPECT("GET / HTTP/1.\n", 400);
    EXPECT("GET / HTTP/1.10\n", 400);
    EXPECT("GET / HTTP 1.1\n", 400);
    EXPECT("GET / http/1.1\n", 400);
    EXPECT("GET / HTTP/1.1 \n", 400);
    EXPECT("GET /  HTTP/1.1\n", 400);
    EXPECT("GET /\x01 HTTP/1.1\n", 400);
    EXPECT("GET /\x7f HTTP/1.1\n", 400);
    EXPECT("GET \n", 400);
    EXPECT("GET\n", 400);
    EXPECT("GET \r", 0);
    EXPECT("GET\r", 0);
    EXPECT("GET\r\n", 400);
}

static void a_header_is_a_name_and_a_colon(void **state)
{
    (void)state;
#define WITH(header) "GET / HTTP/1.1\r\na: b\r\n" header "\r\n"
    EXPECT(WITH("x:"), 0);
    EXPECT(WITH("x-y.z: a:b \x01\xff"), 0);
    EXPECT(WITH(":"), 400);
    EXPECT(WITH(": x"), 400);
    EXPECT(WITH("x"), 400);
    EXPECT(WITH("x y"), 400);
    EXPECT(WITH("x : y"), 400);
    EXPECT(WITH(" x: y"), 400);
    EXPECT(WITH("x: \0"), 400);
    EXPECT(WITH("x\0: y"), 400);
    EXPECT("GET / HTTP/1.1\r\nx y", 0); /* its line has not ended */
#undef WITH
}

static void a_line_may_be_half_of_what_is_read(void **state)
{
    (void)state;
    expect(filled("GET /", 'x', HALF - 1), HALF - 1, 0);
    expect(filled("GET /", 'x', HALF), HALF, 414);
    expect(filled("GET", 'X', HALF - 1), HALF - 1, 0);
    expect(filled("GET", 'X', HALF), HALF, 400);
    expect(filled("\nGET /", 'x', HALF), HALF, 0);
    expect(filled("\nGET /", 'x', HALF + 1), HALF + 1, 414);
}

static void what_is_longer_than_all_is_none(void **state)
{
    static const char end[] = "\r\n\r\n";
    char text[BYTES];

    (void)state;
    expect(filled("GET / HTTP/1.1\nx:", 'x', BYTES - 1), BYTES - 1, 0);
    expect(filled("GET / HTTP/1.1\nx:", 'x', BYTES), BYTES, 431);
    memcpy(text, filled("GET / HTTP/1.1\nx:", 'x', BYTES), BYTES);
    memcpy(text + BYTES - (sizeof(end) - 1), end, sizeof(end) - 1);
    expect(text, BYTES - 1, 0);
    expect(text, BYTES, 200);
    expect(filled("", '\n', BYTES - 1), BYTES - 1, 0);
    expect(filled("", '\n', BYTES), BYTES, 400);
    /* nothing but a line that is behind too many empty ones */
    memset(text, 'x', BYTES);
    memset(text, '\r', HALF + 1);
    put(text + HALF + 1, "GET /");
    expect(text, BYTES - 1, 0);
    expect(text, BYTES, 400);
    put(text + HALF, "GET /x");
    expect(text, BYTES, 414);
}

static void every_status_has_its_words(void **state)
{
    (void)state;
    assert_string_equal(http_request_reason(200), "OK");
    assert_string_equal(http_request_reason(400), "Bad Request");
    assert_string_equal(http_request_reason(405), "Method Not Allowed");
    assert_string_equal(http_request_reason(408), "Request Timeout");
    assert_string_equal(http_request_reason(414), "URI Too Long");
    assert_string_equal(http_request_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_request_reason(501), "Not Implemented");
    assert_string_equal(http_request_reason(503), "Service Unavailable");
    assert_string_equal(http_request_reason(505), "HTTP Version Not Supported");
    assert_string_equal(http_request_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_whole_with_its_last_byte_and_not_before),
        cmocka_unit_test(what_is_behind_one_is_not_read),
        cmocka_unit_test(every_method_has_its_status),
        cmocka_unit_test(a_line_is_a_method_a_target_and_a_version),
        cmocka_unit_test(a_header_is_a_name_and_a_colon),
        cmocka_unit_test(a_line_may_be_half_of_what_is_read),
        cmocka_unit_test(what_is_longer_than_all_is_none),
        cmocka_unit_test(every_status_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
