/* result: the error is signed, and the text says what a person should read. */
#include "descriptors.h"
#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void error_and_text_come_back(void **state)
{
    static const int32_t errors[] = {0, ENOENT, EALREADY, INT32_MAX, INT32_MIN, -1};
    uint8_t memory[64];

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};
        struct result read;

        result_pack(&writer, &(struct result){.error = errors[i], .text = wire_text_of("why")});
        assert_int_equal(writer.size, RESULT_SIZE + 3);
        assert_int_equal(result_unpack(memory, writer.size, &read), 0);
        assert_int_equal(read.error, errors[i]);
        assert_int_equal(read.text.size, 3);
        assert_memory_equal(read.text.data, "why", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_and_text_come_back),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
