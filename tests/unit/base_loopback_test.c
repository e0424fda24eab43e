/* loopback: what is one machine's own, and what is not. */
#include "base/loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text, *name; /* NULL: it is none */
} rows[] = {
    {"80", "127.0.0.1:80"},
    {"0", "127.0.0.1:0"},
    {"65535", "127.0.0.1:65535"},
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"127.255.0.9:80", "127.255.0.9:80"},
    {"[::1]:5432", "[::1]:5432"},
    {"/run/service.sock", "/run/service.sock"},
    {"/", "/"},
    {"", NULL},
    {":80", NULL},
    {"65536", NULL},
    {"99999999999999999999", NULL},
    {"-1", NULL},
    {"80 ", NULL},
    {"127.0.0.1:", NULL},
    {"0.0.0.0:80", NULL},
    {"128.0.0.1:80", NULL},
    {"192.0.2.1:80", NULL},
    {"localhost:80", NULL},
    {"[::]:80", NULL},
    {"[::2]:80", NULL},
    {"[::1]80", NULL},
    {"::1:80", NULL},
    {"service.sock", NULL},
    {"./service.sock", NULL},
};

static void each_form_is_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = loopback_parse(rows[i].text, &address);
        char text[LOOPBACK_TEXT];

        if ((size != 0) != (rows[i].name != NULL))
            fail_msg("\"%s\" is %s", rows[i].text, size != 0 ? "taken" : "refused");
        if (size == 0)
            continue;
        loopback_format(&address, text);
        assert_string_equal(text, rows[i].name);
    }
}

static void a_path_fits_or_is_none(void **state)
{
    struct sockaddr_storage address = {0};
    char text[LOOPBACK_TEXT + 1], name[LOOPBACK_TEXT];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    text[LOOPBACK_TEXT] = '\0';
    assert_int_equal(loopback_parse(text, &address), 0);
    text[LOOPBACK_TEXT - 1] = '\0';
    assert_true(loopback_parse(text, &address) > 0);
    loopback_format(&address, name);
    assert_string_equal(name, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_what_it_says),
        cmocka_unit_test(a_path_fits_or_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
