/* once: a command line grows word by word, and is one that execve(2) takes. */
#include "once/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void words_stand_in_their_order(void **state)
{
    WORDS words = WORDS_NULL;

    (void)state;
    words_add(&words, "qemu");
    assert_null(words.items[1]);
    words_add(&words, "-m");
    words_add(&words, "%u%c,%s", 2u, 'G', "share=on");
    words_add(&words, "%s", "");
    assert_false(words.failed);
    assert_int_equal(words.count, 4);
    assert_string_equal(words.items[0], "qemu");
    assert_string_equal(words.items[1], "-m");
    assert_string_equal(words.items[2], "2G,share=on");
    assert_string_equal(words.items[3], "");
    assert_null(words.items[4]);
    words_done(&words);
    assert_null(words.items);
    assert_int_equal(words.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stand_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
