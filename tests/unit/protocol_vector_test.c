/*
 * Every message is written and read byte for byte as tests/vectors says.
 *
 * A sound vector (y_…) is compared in two ways: what its row in the table says must pack to its
 * bytes, and its bytes must unpack to something that packs to the same bytes. As every field of
 * every struct has a value of its own, both together say that reading gives the row's fields.
 */
#include "descriptors.h"
#include "protocol_vector_table.h"
#include "vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#define INSERTED 5u /* bytes that a later minor version might add */

static struct vector read_vector(const char *name)
{
    struct vector vector = {0};
    int r = vector_read(name, &vector);

    if (r < 0)
        fail_msg("%s: %s", name, strerror(-r));
    return vector;
}

/* The payload of a sound vector in memory of its own size. */
static struct vector payload_of(const struct vector *vector)
{
    assert_true(vector->size >= FRAME_HEADER_SIZE);
    return vector_of(vector->data + FRAME_HEADER_SIZE, vector->size - FRAME_HEADER_SIZE);
}

static struct vector pack(const struct message_kind *kind, const union message *message)
{
    static uint8_t memory[FRAME_PAYLOAD_MAX];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    kind->pack(&writer, message);
    assert_false(writer.overflow);
    return vector_of(memory, writer.size);
}

static void assert_same(const char *name, const struct vector *a, const struct vector *b)
{
    if (a->size != b->size)
        fail_msg("%s: %zu bytes instead of %zu", name, a->size, b->size);
    for (size_t i = 0; i < a->size; i++) {
        if (a->data[i] != b->data[i])
            fail_msg("%s: byte %zu is %02x instead of %02x", name, i, a->data[i], b->data[i]);
    }
}

/* Each row that has a struct, with its payload, to @p check. */
static void for_each_struct(void (*check)(const struct vector_row *row,
                                          const struct message_kind *kind,
                                          const struct vector *payload))
{
    for (size_t i = 0; i < vector_rows_count; i++) {
        const struct vector_row *row = &vector_rows[i];
        VECTOR_CLEANUP struct vector vector = {0}, payload = {0};

        if (row->kind & VECTOR_NO_STRUCT)
            continue;
        vector = read_vector(row->name);
        payload = payload_of(&vector);
        check(row, messages_find(row->type), &payload);
    }
}

static void frame_is_decoded_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_rows_count; i++) {
        const struct vector_row *row = &vector_rows[i];
        VECTOR_CLEANUP struct vector vector = read_vector(row->name);
        VECTOR_CLEANUP struct vector whole = {0};
        struct frame frame = {0};
        size_t size = 0;

        if (row->kind & VECTOR_HEADER_ONLY) {
            assert_int_equal(frame_decode(vector.data, vector.size, &frame, &size), FRAME_E_MORE);
            whole = vector_zeroed(size);
            memcpy(whole.data, vector.data, vector.size);
        } else {
            whole = vector_of(vector.data, vector.size);
        }
        if (frame_decode(whole.data, whole.size, &frame, &size) != 0)
            fail_msg("%s is refused as a frame", row->name);
        assert_int_equal(size, whole.size);
        assert_int_equal(frame.type, row->type);
        assert_int_equal(frame.flags, row->flags);
        assert_int_equal(frame.id, row->id);
        assert_int_equal(frame.length, whole.size - FRAME_HEADER_SIZE);
        assert_ptr_equal(frame.payload, whole.data + FRAME_HEADER_SIZE);
    }
}

static void frame_is_encoded_to_the_bytes_of_its_vector(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_rows_count; i++) {
        const struct vector_row *row = &vector_rows[i];
        VECTOR_CLEANUP struct vector vector = read_vector(row->name);
        VECTOR_CLEANUP struct vector written = {0};
        uint8_t memory[4096];
        struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};
        size_t start;

        if (row->kind & (VECTOR_OF_OTHERS | VECTOR_NO_STRUCT))
            continue;
        start = frame_begin(&writer, row->type, row->flags, row->id);
        messages_find(row->type)->pack(&writer, &row->message);
        assert_int_equal(frame_end(&writer, start), 0);
        written = vector_of(memory, writer.size);
        assert_same(row->name, &written, &vector);
    }
}

static void check_unpacks(const struct vector_row *row, const struct message_kind *kind,
                          const struct vector *payload)
{
    VECTOR_CLEANUP struct vector again = {0}, expected = {0};
    union message message = {0};

    if (kind->unpack(payload->data, payload->size, &message) != 0)
        fail_msg("%s is refused", row->name);
    again = pack(kind, &message);
    expected = pack(kind, &row->message);
    assert_same(row->name, &again, &expected);
    assert_int_equal(wire_get_u32(&(struct wire_reader){again.data, again.size, 0}), kind->size);
    if (!(row->kind & VECTOR_OF_OTHERS))
        assert_same(row->name, &again, payload);
}

static void struct_is_unpacked_to_the_fields_of_its_row(void **state)
{
    (void)state;
    for_each_struct(check_unpacks);
}

static void frame_cut_at_any_byte_needs_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_rows_count; i++) {
        VECTOR_CLEANUP struct vector vector = read_vector(vector_rows[i].name);

        for (size_t cut = 0; cut < vector.size; cut++) {
            VECTOR_CLEANUP struct vector piece = vector_of(vector.data, cut);
            struct frame frame;
            size_t size = 0;

            assert_int_equal(frame_decode(piece.data, piece.size, &frame, &size), FRAME_E_MORE);
            if (!(vector_rows[i].kind & VECTOR_HEADER_ONLY))
                assert_int_equal(size, cut < FRAME_HEADER_SIZE ? FRAME_HEADER_SIZE : vector.size);
        }
    }
}

static void check_cut(const struct vector_row *row, const struct message_kind *kind,
                      const struct vector *payload)
{
    uint32_t struct_size = wire_get_u32(&(struct wire_reader){payload->data, payload->size, 0});

    for (size_t cut = 0; cut < payload->size; cut++) {
        VECTOR_CLEANUP struct vector piece = vector_of(payload->data, cut);
        int expected = cut < struct_size ? WIRE_E_STRUCT_SIZE : WIRE_E_TEXT;
        union message message;
        union message untouched;
        int r;

        memset(&message, 0x5a, sizeof(message));
        memset(&untouched, 0x5a, sizeof(untouched));
        r = kind->unpack(piece.data, piece.size, &message);
        /* CAPABILITIES has nothing behind its struct that we read, so nothing can be missing. */
        if (row->type == FRAME_CAPABILITIES && cut >= struct_size)
            expected = 0;
        if (r != expected)
            fail_msg("%s cut to %zu bytes: %d instead of %d", row->name, cut, r, expected);
        if (r != 0)
            assert_memory_equal(&message, &untouched, sizeof(message));
    }
}

static void payload_cut_at_any_byte_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for_each_struct(check_cut);
}

static void put_struct_size(struct vector *payload, size_t struct_size)
{
    struct wire_writer writer = {.data = payload->data, .capacity = payload->size};

    wire_put_u32(&writer, (uint32_t)struct_size);
}

/* The struct ends early: the same as if the bytes behind were there and 0. */
static void check_older(const struct vector_row *row, const struct message_kind *kind,
                        const struct vector *payload)
{
    size_t struct_size = wire_get_u32(&(struct wire_reader){payload->data, payload->size, 0});
    size_t tail = payload->size - struct_size;

    for (size_t older = 8; older < struct_size; older++) {
        VECTOR_CLEANUP struct vector zeroed = vector_of(payload->data, payload->size);
        VECTOR_CLEANUP struct vector shorter = vector_of(payload->data, older + tail);
        VECTOR_CLEANUP struct vector a = {0}, b = {0};
        union message from_zeroed = {0}, from_shorter = {0};
        int r;

        memset(zeroed.data + older, 0, struct_size - older);
        if (tail > 0)
            memcpy(shorter.data + older, payload->data + struct_size, tail);
        put_struct_size(&shorter, older);
        r = kind->unpack(zeroed.data, zeroed.size, &from_zeroed);
        if (kind->unpack(shorter.data, shorter.size, &from_shorter) != r)
            fail_msg("%s with a struct of %zu bytes: not %d", row->name, older, r);
        if (r != 0)
            continue;
        a = pack(kind, &from_zeroed);
        b = pack(kind, &from_shorter);
        assert_same(row->name, &b, &a);
    }
}

static void what_an_older_struct_lacks_is_read_as_zero(void **state)
{
    (void)state;
    for_each_struct(check_older);
}

/* The struct is longer than we know: its tail begins behind what we do not know. */
static void check_later(const struct vector_row *row, const struct message_kind *kind,
                        const struct vector *payload)
{
    size_t struct_size = wire_get_u32(&(struct wire_reader){payload->data, payload->size, 0});
    VECTOR_CLEANUP struct vector longer = {0}, again = {0}, expected = {0};
    union message message = {0};

    /* A struct that was cut short would be filled with what is inserted, not followed by it. */
    if (struct_size < kind->size)
        return;
    longer = vector_zeroed(payload->size + INSERTED);
    memcpy(longer.data, payload->data, struct_size);
    memset(longer.data + struct_size, 0xee, INSERTED);
    memcpy(longer.data + struct_size + INSERTED, payload->data + struct_size,
           payload->size - struct_size);
    put_struct_size(&longer, struct_size + INSERTED);
    if (kind->unpack(longer.data, longer.size, &message) != 0)
        fail_msg("%s with %u bytes more is refused", row->name, INSERTED);
    again = pack(kind, &message);
    expected = pack(kind, &row->message);
    assert_same(row->name, &again, &expected);
}

static void what_a_later_struct_has_more_is_ignored(void **state)
{
    (void)state;
    for_each_struct(check_later);
}

/* Bytes that nobody announced follow the message. */
static void check_trailing(const struct vector_row *row, const struct message_kind *kind,
                           const struct vector *payload)
{
    VECTOR_CLEANUP struct vector longer = vector_zeroed(payload->size + INSERTED);
    VECTOR_CLEANUP struct vector again = {0}, expected = {0};
    union message message = {0};

    memcpy(longer.data, payload->data, payload->size);
    if (kind->unpack(longer.data, longer.size, &message) != 0)
        fail_msg("%s with %u bytes behind it is refused", row->name, INSERTED);
    again = pack(kind, &message);
    expected = pack(kind, &row->message);
    assert_same(row->name, &again, &expected);
}

static void what_follows_the_last_text_is_ignored(void **state)
{
    (void)state;
    for_each_struct(check_trailing);
}

static void message_that_does_not_fit_sets_overflow_and_writes_nothing_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_rows_count; i++) {
        const struct vector_row *row = &vector_rows[i];
        const struct message_kind *kind = messages_find(row->type);
        VECTOR_CLEANUP struct vector whole = {0};

        if (row->kind & VECTOR_NO_STRUCT)
            continue;
        whole = pack(kind, &row->message);
        for (size_t capacity = 0; capacity < whole.size; capacity++) {
            VECTOR_CLEANUP struct vector memory = vector_of(whole.data, capacity);
            struct wire_writer writer = {.data = memory.data, .capacity = capacity};

            kind->pack(&writer, &row->message);
            assert_true(writer.overflow);
            assert_in_range(writer.size, 0, capacity);
        }
    }
}

/* What decoding the whole of a vector gives, as the part of its name behind n_. */
static const char *refusal_of(const struct vector *vector)
{
    const struct message_kind *kind;
    union message message;
    struct frame frame;
    size_t size;
    int r;

    r = frame_decode(vector->data, vector->size, &frame, &size);
    if (r != 0)
        return r == FRAME_E_MAGIC ? "magic" : r == FRAME_E_LENGTH ? "length" : "more";
    kind = messages_find(frame.type);
    switch (kind ? kind->unpack(frame.payload, frame.length, &message) : 0) {
    case WIRE_E_STRUCT_SIZE:
        return "struct_size";
    case WIRE_E_TEXT:
        return "text";
    case CAPABILITIES_E_VERSION:
        return "version";
    case CAPABILITIES_E_MALFORMED:
        return "malformed";
    default:
        return "nothing";
    }
}

static bool has_row(const char *name)
{
    for (size_t i = 0; i < vector_rows_count; i++) {
        if (strcmp(vector_rows[i].name, name) == 0)
            return true;
    }
    return false;
}

static void every_file_has_the_outcome_of_its_name(void **state)
{
    DIR *directory = opendir(GUESTLINK_VECTORS);
    size_t refused = 0;
    struct dirent *entry;

    (void)state;
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        VECTOR_CLEANUP struct vector vector = {0};
        char name[256];
        const char *refusal;

        if (sscanf(entry->d_name, "%250[a-z0-9_].hex", name) != 1)
            continue;
        if (name[0] == 'y') {
            if (!has_row(name))
                fail_msg("%s has no row in the table", name);
            continue;
        }
        vector = read_vector(name);
        refusal = refusal_of(&vector);
        if (strncmp(name, "n_", 2) != 0 || strncmp(name + 2, refusal, strlen(refusal)) != 0)
            fail_msg("%s is refused for: %s", name, refusal);
        refused++;
    }
    (void)closedir(directory);
    assert_in_range(refused, 81, UINTMAX_MAX);
}

static void another_major_leaves_all_but_the_version_alone(void **state)
{
    VECTOR_CLEANUP struct vector vector = read_vector("n_version_major_2");
    VECTOR_CLEANUP struct vector payload = payload_of(&vector);
    struct guest_capabilities capabilities = {.cpu_count = 77};

    (void)state;
    assert_int_equal(capabilities_unpack(payload.data, payload.size, &capabilities),
                     CAPABILITIES_E_VERSION);
    assert_int_equal(capabilities.major, 2);
    assert_int_equal(capabilities.minor, 5);
    assert_int_equal(capabilities.cpu_count, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_is_decoded_as_the_table_says),
        cmocka_unit_test(frame_is_encoded_to_the_bytes_of_its_vector),
        cmocka_unit_test(struct_is_unpacked_to_the_fields_of_its_row),
        cmocka_unit_test(frame_cut_at_any_byte_needs_more),
        cmocka_unit_test(payload_cut_at_any_byte_is_refused_and_changes_nothing),
        cmocka_unit_test(what_an_older_struct_lacks_is_read_as_zero),
        cmocka_unit_test(what_a_later_struct_has_more_is_ignored),
        cmocka_unit_test(what_follows_the_last_text_is_ignored),
        cmocka_unit_test(message_that_does_not_fit_sets_overflow_and_writes_nothing_behind),
        cmocka_unit_test(every_file_has_the_outcome_of_its_name),
        cmocka_unit_test(another_major_leaves_all_but_the_version_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
