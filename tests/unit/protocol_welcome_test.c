/* welcome: every status has its words, and a status of a later version is a refusal too. */
#include "descriptors.h"
#include "protocol/welcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_status_has_words_of_its_own(void **state)
{
    (void)state;
    for (uint32_t a = WELCOME_ACCEPTED; a <= WELCOME_UNPRIVILEGED + 1; a++) {
        for (uint32_t b = 0; b < a; b++)
            assert_string_not_equal(welcome_status_text(a), welcome_status_text(b));
    }
    assert_string_equal(welcome_status_text(6), welcome_status_text(UINT32_MAX));
}

static void unknown_status_is_read_as_it_is(void **state)
{
    static const uint8_t payload[] = {14, 0, 0, 0, 1, 0, 2, 0, 0xfe, 0xff, 0xff, 0xff, 0, 0};
    struct welcome welcome;

    (void)state;
    assert_int_equal(welcome_unpack(payload, sizeof(payload), &welcome), 0);
    assert_int_equal(welcome.status, 0xfffffffe);
    assert_int_equal(welcome.major, 1);
    assert_int_equal(welcome.minor, 2);
}

/* A status that was cut away would read as 0, accepted: the numbers are those of the 1.0 struct. */
static void shortest_struct_is_read_with_zeros(void **state)
{
    static const uint8_t payload[] = {8, 0, 0, 0, 1, 0, 0, 0};
    struct welcome welcome;

    (void)state;
    assert_int_equal(welcome_unpack(payload, sizeof(payload), &welcome), 0);
    assert_int_equal(welcome.status, WELCOME_ACCEPTED);
    assert_int_equal(welcome.name.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_words_of_its_own),
        cmocka_unit_test(unknown_status_is_read_as_it_is),
        cmocka_unit_test(shortest_struct_is_read_with_zeros),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
