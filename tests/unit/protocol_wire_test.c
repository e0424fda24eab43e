/* wire: bytes to integers and texts, and back, never beyond either end. */
#include "descriptors.h"
#include "protocol/wire.h"
#include "vector.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct wire_text text_of(const char *data, size_t size)
{
    return (struct wire_text){.data = data, .size = size};
}

static void integers_are_little_endian(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xff};
    struct wire_reader reader = {.data = bytes, .size = sizeof(bytes)};
    uint8_t written[sizeof(bytes)];
    struct wire_writer writer = {.data = written, .capacity = sizeof(written)};

    (void)state;
    assert_int_equal(wire_get_u64(&reader), 0x0807060504030201);
    assert_int_equal(wire_get_u32(&reader), 0x0c0b0a09);
    assert_int_equal(wire_get_u16(&reader), 0x0e0d);
    assert_int_equal(wire_get_u8(&reader), 0xff);

    wire_put_u64(&writer, 0x0807060504030201);
    wire_put_u32(&writer, 0x0c0b0a09);
    wire_put_u16(&writer, 0x0e0d);
    wire_put_u8(&writer, 0xff);
    assert_false(writer.overflow);
    assert_memory_equal(written, bytes, sizeof(bytes));
}

static void highest_bits_survive(void **state)
{
    static const uint8_t ones[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct wire_reader reader = {.data = ones, .size = sizeof(ones)};

    (void)state;
    assert_int_equal(wire_get_u64(&reader), UINT64_MAX);
    reader.offset = 0;
    assert_int_equal(wire_get_u32(&reader), UINT32_MAX);
    assert_int_equal(wire_get_u16(&reader), UINT16_MAX);
}

static void bytes_behind_the_end_read_as_zero(void **state)
{
    VECTOR_CLEANUP struct vector three = vector_of("\xaa\xbb\xcc", 3);
    struct wire_reader reader = {.data = three.data, .size = three.size};
    uint8_t bytes[4] = {1, 1, 1, 1};

    (void)state;
    assert_int_equal(wire_get_u64(&reader), 0xccbbaa);
    assert_int_equal(wire_get_u8(&reader), 0);
    assert_int_equal(wire_get_u32(&reader), 0);
    reader.offset = 1;
    wire_get_bytes(&reader, bytes, sizeof(bytes));
    assert_memory_equal(bytes, "\xbb\xcc\0\0", 4);
}

static void struct_size_is_bounded_by_8_and_the_payload(void **state)
{
    static const struct {
        size_t payload;
        uint32_t struct_size;
        int result;
    } rows[] = {
        {0, 0, WIRE_E_STRUCT_SIZE},
        {4, 4, WIRE_E_STRUCT_SIZE},
        {7, 7, WIRE_E_STRUCT_SIZE},
        {7, 8, WIRE_E_STRUCT_SIZE},
        {8, 7, WIRE_E_STRUCT_SIZE},
        {8, 0, WIRE_E_STRUCT_SIZE},
        {8, 8, 0},
        {8, 9, WIRE_E_STRUCT_SIZE},
        {20, 8, 0},
        {20, 20, 0},
        {20, 21, WIRE_E_STRUCT_SIZE},
        {20, UINT32_MAX, WIRE_E_STRUCT_SIZE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[20] = {0};
        struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
        VECTOR_CLEANUP struct vector payload = {0};
        struct wire_reader fixed, tail;

        wire_put_u32(&writer, rows[i].struct_size);
        payload = vector_of(bytes, rows[i].payload);
        assert_int_equal(wire_open_struct(payload.data, payload.size, &fixed, &tail),
                         rows[i].result);
        if (rows[i].result != 0)
            continue;
        assert_int_equal(fixed.size, rows[i].struct_size);
        assert_int_equal(fixed.offset, 4);
        assert_int_equal(tail.offset, rows[i].struct_size);
        assert_int_equal(tail.size, rows[i].payload);
    }
}

static void text_is_utf8_as_rfc_3629_says(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool valid;
    } rows[] = {
        {"", 0, true},
        {"a", 1, true},
        {"\x7f", 1, true},
        {"\0", 1, false},
        {"a\0b", 3, false},
        {"\x80", 1, false},
        {"\xbf", 1, false},
        {"\xc0\x80", 2, false}, /* NUL, overlong */
        {"\xc1\xbf", 2, false},
        {"\xc2\x80", 2, true},
        {"\xc2\x7f", 2, false},
        {"\xc2\xc0", 2, false},
        {"\xdf\xbf", 2, true},
        {"\xc2", 1, false},
        {"\xe0\x9f\xbf", 3, false},
        {"\xe0\xa0\x80", 3, true},
        {"\xe1\x80\x80", 3, true},
        {"\xed\x9f\xbf", 3, true},
        {"\xed\xa0\x80", 3, false}, /* U+D800 */
        {"\xee\x80\x80", 3, true},
        {"\xef\xbf\xbf", 3, true},
        {"\xe1\x80", 2, false},
        {"\xf0\x8f\xbf\xbf", 4, false},
        {"\xf0\x90\x80\x80", 4, true},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\xf4\x90\x80\x80", 4, false}, /* U+110000 */
        {"\xf1\x80\x80", 3, false},
        {"\xf1\x80\x80\x7f", 4, false},
        {"\xf5\x80\x80\x80", 4, false},
        {"\xff", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        VECTOR_CLEANUP struct vector copy = vector_of(rows[i].bytes, rows[i].size);

        if (wire_text_is_valid(text_of((const char *)copy.data, copy.size)) != rows[i].valid)
            fail_msg("row %zu is not %s", i, rows[i].valid ? "valid" : "refused");
    }
}

static void every_code_point_but_surrogates_is_text(void **state)
{
    (void)state;
    for (uint32_t point = 1; point <= 0x10ffff; point++) {
        char bytes[4];
        size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

        for (size_t i = size - 1; i > 0; i--)
            bytes[i] = (char)(0x80 | (point >> (6 * (size - 1 - i)) & 0x3f));
        bytes[0] = (char)(leads[size] | point >> (6 * (size - 1)));
        if (wire_text_is_valid(text_of(bytes, size)) == (point >= 0xd800 && point <= 0xdfff))
            fail_msg("U+%04X", point);
    }
}

static void control_characters_are_found(void **state)
{
    (void)state;
    assert_true(wire_text_has_control(text_of("a\nb", 3)));
    assert_true(wire_text_has_control(text_of("\x1f", 1)));
    assert_true(wire_text_has_control(text_of("\x7f", 1)));
    assert_true(wire_text_has_control(text_of("\0", 1)));
    assert_false(wire_text_has_control(text_of(" ~\xc3\xbc", 4)));
    assert_false(wire_text_has_control(text_of(NULL, 0)));
}

static void text_that_is_refused_leaves_the_cursor_where_it_was(void **state)
{
    static const uint8_t bytes[] = {'a', 'b', 0xff};
    struct wire_reader tail = {.data = bytes, .size = sizeof(bytes)};
    struct wire_text text = {0};

    (void)state;
    assert_int_equal(wire_take_text(&tail, 3, &text), WIRE_E_TEXT);
    assert_int_equal(wire_take_text(&tail, 4, &text), WIRE_E_TEXT);
    assert_int_equal(wire_take_text(&tail, SIZE_MAX, &text), WIRE_E_TEXT);
    assert_int_equal(wire_take_data(&tail, 4, &text), WIRE_E_TEXT);
    assert_int_equal(tail.offset, 0);
    assert_null(text.data);
    assert_int_equal(wire_take_text(&tail, 2, &text), 0);
    assert_int_equal(wire_take_data(&tail, 1, &text), 0);
    assert_int_equal(wire_take_data(&tail, 0, &text), 0);
    assert_int_equal(wire_take_data(&tail, 1, &text), WIRE_E_TEXT);
}

static void list_is_walked_to_its_end_and_not_beyond(void **state)
{
    static const uint8_t bytes[] = {1, 0, 'a', 0, 0, 2, 0, 'b', 'c', 1, 0, 'd'};
    VECTOR_CLEANUP struct vector copy = vector_of(bytes, sizeof(bytes));
    struct wire_reader tail = {.data = copy.data, .size = copy.size};
    struct wire_list list, rest;
    struct wire_text text;

    (void)state;
    assert_int_equal(wire_take_list(&tail, 3, &list), 0);
    assert_int_equal(tail.offset, 9);
    assert_int_equal(list.size, 9);
    assert_int_equal(wire_take_list(&tail, 0, &rest), 0);
    assert_false(wire_list_next(&rest, &text));

    assert_true(wire_list_next(&list, &text));
    assert_int_equal(text.size, 1);
    assert_true(wire_list_next(&list, &text));
    assert_int_equal(text.size, 0);
    assert_true(wire_list_next(&list, &text));
    assert_memory_equal(text.data, "bc", 2);
    assert_false(wire_list_next(&list, &text));
    assert_false(wire_list_next(&list, &text));
}

static void list_with_one_bad_item_is_refused_whole(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        uint16_t count;
    } rows[] = {
        {"", 0, 1},         {"\1", 1, 1},       {"\1\0", 2, 1},
        {"\1\0a", 3, 2},    {"\1\0a\1", 4, 2},  {"\1\0a\1\0\0", 6, 2},
        {"\1\0\xff", 3, 1}, {"\xff\xff", 2, 1}, {"\0\0\0\0", 4, 65535},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        VECTOR_CLEANUP struct vector copy = vector_of(rows[i].bytes, rows[i].size);
        struct wire_reader tail = {.data = copy.data, .size = copy.size};
        struct wire_list list = {.count = 99};

        assert_int_equal(wire_take_list(&tail, rows[i].count, &list), WIRE_E_TEXT);
        assert_int_equal(tail.offset, 0);
        assert_int_equal(list.count, 99);
    }
}

static void copy_of_a_text_needs_room_for_its_nul(void **state)
{
    char buffer[4] = "xyz";

    (void)state;
    assert_int_equal(wire_text_copy(wire_text_of("abcd"), buffer, sizeof(buffer)), -ENAMETOOLONG);
    assert_string_equal(buffer, "xyz");
    assert_int_equal(wire_text_copy(wire_text_of("abc"), buffer, sizeof(buffer)), 0);
    assert_string_equal(buffer, "abc");
    assert_int_equal(wire_text_copy(wire_text_of(NULL), buffer, 1), 0);
    assert_string_equal(buffer, "");
    assert_int_equal(wire_text_copy(wire_text_of(NULL), buffer, 0), -ENAMETOOLONG);
}

static void writer_that_overflowed_writes_no_more(void **state)
{
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct wire_writer writer = {.data = bytes, .capacity = 3};

    (void)state;
    wire_put_u16(&writer, 0x0201);
    wire_put_u16(&writer, 0x0403);
    assert_true(writer.overflow);
    wire_put_u8(&writer, 5);
    assert_int_equal(writer.size, 2);
    assert_memory_equal(bytes, "\1\2\x09\x09", 4);
}

static void list_item_longer_than_its_length_can_say_overflows(void **state)
{
    static char long_text[UINT16_MAX + 1];
    static uint8_t memory[2 * UINT16_MAX];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    (void)state;
    wire_put_list_item(&writer, text_of(long_text, UINT16_MAX));
    assert_false(writer.overflow);
    writer.size = 0;
    wire_put_list_item(&writer, text_of(long_text, UINT16_MAX + 1));
    assert_true(writer.overflow);
    assert_int_equal(writer.size, 0);
}

static void padded_text_always_ends_in_nul(void **state)
{
    uint8_t bytes[8];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};

    (void)state;
    wire_put_padded(&writer, "abcdef", 4);
    wire_put_padded(&writer, "g", 4);
    assert_memory_equal(bytes, "abc\0g\0\0\0", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(highest_bits_survive),
        cmocka_unit_test(bytes_behind_the_end_read_as_zero),
        cmocka_unit_test(struct_size_is_bounded_by_8_and_the_payload),
        cmocka_unit_test(text_is_utf8_as_rfc_3629_says),
        cmocka_unit_test(every_code_point_but_surrogates_is_text),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(text_that_is_refused_leaves_the_cursor_where_it_was),
        cmocka_unit_test(list_is_walked_to_its_end_and_not_beyond),
        cmocka_unit_test(list_with_one_bad_item_is_refused_whole),
        cmocka_unit_test(copy_of_a_text_needs_room_for_its_nul),
        cmocka_unit_test(writer_that_overflowed_writes_no_more),
        cmocka_unit_test(list_item_longer_than_its_length_can_say_overflows),
        cmocka_unit_test(padded_text_always_ends_in_nul),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
