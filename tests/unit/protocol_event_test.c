/* event: what is read of an event is bounded, whatever the guest wrote. */
#include "descriptors.h"
#include "protocol/event.h"
#include "protocol/frame.h"
#include "vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct event_pool_usage usage_of(uint16_t count)
{
    struct event_pool_usage usage = {.slot_bytes = 2048, .count = count};

    for (uint16_t i = 0; i < EVENT_POOLS_MAX; i++)
        usage.pools[i] = (struct event_pool){i, i + 100u, i + 200u, wire_text_of("pool")};
    return usage;
}

static void sixteen_pools_are_told_and_seventeen_are_not(void **state)
{
    const struct event_pool_usage most = usage_of(EVENT_POOLS_MAX);
    const struct event_pool_usage more = usage_of(EVENT_POOLS_MAX + 1);
    struct event_pool_usage read;
    uint8_t memory[1024];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    (void)state;
    event_pool_usage_pack(&writer, &most);
    assert_false(writer.overflow);
    assert_int_equal(event_pool_usage_unpack(memory, writer.size, &read), 0);
    assert_int_equal(read.count, EVENT_POOLS_MAX);
    for (uint16_t i = 0; i < EVENT_POOLS_MAX; i++) {
        assert_int_equal(read.pools[i].total, i);
        assert_int_equal(read.pools[i].used, i + 100u);
        assert_int_equal(read.pools[i].high_water, i + 200u);
        assert_int_equal(read.pools[i].name.size, 4);
    }

    /* A sender that has more pools than the message can tell still sends a sound message. */
    writer.size = 0;
    event_pool_usage_pack(&writer, &more);
    assert_int_equal(event_pool_usage_unpack(memory, writer.size, &read), 0);
    assert_int_equal(read.count, EVENT_POOLS_MAX);
}

static void output_may_be_any_bytes_and_its_end_is_empty(void **state)
{
    static char data[16384];
    static uint8_t memory[FRAME_PAYLOAD_MAX];
    struct event_process_output m = {.process = 3, .stream = EVENT_STDOUT};
    struct event_process_output read;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)i;
    for (size_t size = 0; size <= sizeof(data); size += sizeof(data)) {
        struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

        m.data = (struct wire_text){.data = data, .size = size};
        event_process_output_pack(&writer, &m);
        assert_int_equal(event_process_output_unpack(memory, writer.size, &read), 0);
        assert_int_equal(read.data.size, size);
        assert_memory_equal(read.data.data, data, size);
    }
}

/* A pool without a name takes what is in front of one, and nothing less will do. */
static void a_pool_without_a_name_is_one(void **state)
{
    struct event_pool_usage m = {.count = 1, .pools[0] = {.total = 3, .used = 2, .high_water = 3}};
    struct event_pool_usage read = {0};
    uint8_t memory[64];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    (void)state;
    event_pool_usage_pack(&writer, &m);
    assert_int_equal(event_pool_usage_unpack(memory, writer.size - 1, &read), WIRE_E_TEXT);
    assert_int_equal(read.count, 0);
    assert_int_equal(event_pool_usage_unpack(memory, writer.size, &read), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.pools[0].total, 3);
    assert_int_equal(read.pools[0].name.size, 0);
}

static void log_record_is_text_and_says_what_was_dropped(void **state)
{
    struct event_log_record m = {.level = 3, .dropped = 17, .text = wire_text_of("a\xffz")};
    struct event_log_record read = {0};
    uint8_t memory[64];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    (void)state;
    event_log_record_pack(&writer, &m);
    assert_int_equal(event_log_record_unpack(memory, writer.size, &read), WIRE_E_TEXT);
    m.text = wire_text_of("a\tz");
    writer.size = 0;
    event_log_record_pack(&writer, &m);
    assert_int_equal(event_log_record_unpack(memory, writer.size, &read), 0);
    assert_int_equal(read.dropped, 17);
    assert_memory_equal(read.text.data, "a\tz", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_pools_are_told_and_seventeen_are_not),
        cmocka_unit_test(output_may_be_any_bytes_and_its_end_is_empty),
        cmocka_unit_test(a_pool_without_a_name_is_one),
        cmocka_unit_test(log_record_is_text_and_says_what_was_dropped),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
