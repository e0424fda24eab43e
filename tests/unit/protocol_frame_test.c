/* frame: found in bytes that come in any pieces, and refused as early as can be known. */
#include "descriptors.h"
#include "protocol/frame.h"
#include "vector.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static size_t put_frame(uint8_t *memory, size_t capacity, uint16_t type, uint32_t id, size_t length)
{
    struct wire_writer writer = {.data = memory, .capacity = capacity};
    size_t start = frame_begin(&writer, type, 0, id);

    for (size_t i = 0; i < length; i++)
        wire_put_u8(&writer, (uint8_t)i);
    assert_int_equal(frame_end(&writer, start), 0);
    return writer.size;
}

static void frames_that_are_glued_are_found_one_by_one(void **state)
{
    static const size_t lengths[] = {0, 1, 300, 0, 17};
    uint8_t memory[1024];
    size_t size = 0, offset = 0;

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        size += put_frame(memory + size, sizeof(memory) - size, FRAME_PING, i, lengths[i]);
    for (uint32_t i = 0; i < 5; i++) {
        struct frame frame;
        size_t taken;

        assert_int_equal(frame_decode(memory + offset, size - offset, &frame, &taken), 0);
        assert_int_equal(frame.id, i);
        assert_int_equal(frame.length, lengths[i]);
        offset += taken;
    }
    assert_int_equal(offset, size);
}

static void size_asked_for_is_first_the_header_then_the_frame(void **state)
{
    uint8_t memory[128];
    size_t size = put_frame(memory, sizeof(memory), FRAME_PING, 1, 100);

    (void)state;
    assert_int_equal(size, 116);
    for (size_t there = 0; there < size; there++) {
        struct frame frame;
        size_t needed = 0;

        assert_int_equal(frame_decode(memory, there, &frame, &needed), FRAME_E_MORE);
        assert_int_equal(needed, there < FRAME_HEADER_SIZE ? FRAME_HEADER_SIZE : 116);
    }
}

static void wrong_magic_is_found_at_its_first_wrong_byte(void **state)
{
    (void)state;
    for (size_t wrong = 0; wrong < 4; wrong++) {
        uint8_t bytes[] = {0x47, 0x4c, 0x4e, 0x4b};
        struct frame frame;
        size_t size;

        bytes[wrong] ^= 0x20;
        for (size_t there = 0; there <= 4; there++) {
            VECTOR_CLEANUP struct vector piece = vector_of(bytes, there);

            assert_int_equal(frame_decode(piece.data, piece.size, &frame, &size),
                             there > wrong ? FRAME_E_MAGIC : FRAME_E_MORE);
        }
    }
}

static void length_over_65536_is_found_with_the_header(void **state)
{
    static const struct {
        uint32_t length;
        int result;
    } rows[] = {
        {65535, FRAME_E_MORE},    {65536, FRAME_E_MORE},        {65537, FRAME_E_LENGTH},
        {131072, FRAME_E_LENGTH}, {UINT32_MAX, FRAME_E_LENGTH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t header[FRAME_HEADER_SIZE];
        struct wire_writer writer = {.data = header, .capacity = sizeof(header)};
        struct frame frame;
        size_t size = 0;

        wire_put_u32(&writer, FRAME_MAGIC);
        wire_put_u32(&writer, FRAME_PING);
        wire_put_u32(&writer, rows[i].length);
        wire_put_u32(&writer, 1);
        assert_int_equal(frame_decode(header, sizeof(header), &frame, &size), rows[i].result);
        if (rows[i].result == FRAME_E_MORE)
            assert_int_equal(size, FRAME_HEADER_SIZE + rows[i].length);
    }
}

static void largest_frame_is_written_and_read(void **state)
{
    static uint8_t memory[FRAME_SIZE_MAX];
    struct frame frame;
    size_t size;

    (void)state;
    assert_int_equal(put_frame(memory, sizeof(memory), FRAME_PING, 1, FRAME_PAYLOAD_MAX),
                     FRAME_SIZE_MAX);
    assert_int_equal(frame_decode(memory, sizeof(memory), &frame, &size), 0);
    assert_int_equal(size, FRAME_SIZE_MAX);
}

static void frame_that_cannot_be_written_leaves_what_was_there(void **state)
{
    static uint8_t memory[2 * FRAME_SIZE_MAX];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};
    size_t start;

    (void)state;
    wire_put_u8(&writer, 7);
    start = frame_begin(&writer, FRAME_PING, 0, 1);
    for (size_t i = 0; i <= FRAME_PAYLOAD_MAX; i++)
        wire_put_u8(&writer, 0);
    assert_int_equal(frame_end(&writer, start), -EMSGSIZE);
    assert_int_equal(writer.size, 1);
    assert_false(writer.overflow);

    writer.capacity = 20;
    start = frame_begin(&writer, FRAME_PING, 0, 1);
    wire_put_u32(&writer, 0);
    assert_int_equal(frame_end(&writer, start), -ENOBUFS);
    assert_int_equal(writer.size, 1);

    writer.capacity = 10;
    start = frame_begin(&writer, FRAME_PING, 0, 1);
    assert_int_equal(frame_end(&writer, start), -ENOBUFS);
    assert_int_equal(writer.size, 1);
    assert_int_equal(memory[0], 7);
}

/* A text whose size does not fit into its u16 makes a frame that is too large, never a wrong one.
 */
static void text_over_65535_bytes_never_leaves_as_a_frame(void **state)
{
    static uint8_t memory[4 * FRAME_SIZE_MAX];
    static char letters[UINT16_MAX + 2];

    (void)state;
    for (size_t size = FRAME_PAYLOAD_MAX - 8; size <= sizeof(letters); size++) {
        struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};
        size_t start = frame_begin(&writer, FRAME_SET_HOSTNAME, 0, 1);

        wire_put_u32(&writer, 8);
        wire_put_u16(&writer, (uint16_t)size);
        wire_put_u16(&writer, 0);
        wire_put_text(&writer, (struct wire_text){.data = letters, .size = size});
        assert_int_equal(frame_end(&writer, start), size > FRAME_PAYLOAD_MAX - 8 ? -EMSGSIZE : 0);
    }
}

static void every_type_has_a_name_of_its_own(void **state)
{
    size_t named = 0;

    (void)state;
    for (uint32_t a = 0; a <= UINT16_MAX; a++) {
        const char *name = frame_type_name((uint16_t)a);

        if (strcmp(name, "unknown") == 0)
            continue;
        named++;
        for (uint16_t b = 0; b < a && b < 64; b++)
            assert_string_not_equal(frame_type_name(b), name);
    }
    assert_int_equal(named, 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_are_glued_are_found_one_by_one),
        cmocka_unit_test(size_asked_for_is_first_the_header_then_the_frame),
        cmocka_unit_test(wrong_magic_is_found_at_its_first_wrong_byte),
        cmocka_unit_test(length_over_65536_is_found_with_the_header),
        cmocka_unit_test(largest_frame_is_written_and_read),
        cmocka_unit_test(frame_that_cannot_be_written_leaves_what_was_there),
        cmocka_unit_test(text_over_65535_bytes_never_leaves_as_a_frame),
        cmocka_unit_test(every_type_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
