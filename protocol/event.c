/* event: what the guest tells the host. */
#include "event.h"

#define READY_SIZE          80u
#define CHILD_EXITED_SIZE   40u
#define LOG_RECORD_SIZE     24u
#define PROCESS_OUTPUT_SIZE 12u
#define POOL_USAGE_SIZE     12u
#define POOL_EXHAUSTED_SIZE 48u
#define FAREWELL_SIZE       16u
#define CLOCK_STEPPED_SIZE  24u

void event_ready_pack(struct wire_writer *writer, const struct event_ready *m)
{
    wire_put_u32(writer, READY_SIZE);
    wire_put_u32(writer, 0);
    wire_put_u64(writer, m->started_ns);
    wire_put_u64(writer, m->modules_ns);
    wire_put_u64(writer, m->connected_ns);
    wire_put_u64(writer, m->sent_ns);
    wire_put_u64(writer, m->welcomed_ns);
    wire_put_u64(writer, m->mounted_ns);
    wire_put_u64(writer, m->network_ns);
    wire_put_u64(writer, m->payload_ns);
    wire_put_u64(writer, m->ready_ns);
}

int event_ready_unpack(const uint8_t *payload, size_t size, struct event_ready *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    (void)wire_get_u32(&fixed);
    ret->started_ns = wire_get_u64(&fixed);
    ret->modules_ns = wire_get_u64(&fixed);
    ret->connected_ns = wire_get_u64(&fixed);
    ret->sent_ns = wire_get_u64(&fixed);
    ret->welcomed_ns = wire_get_u64(&fixed);
    ret->mounted_ns = wire_get_u64(&fixed);
    ret->network_ns = wire_get_u64(&fixed);
    ret->payload_ns = wire_get_u64(&fixed);
    ret->ready_ns = wire_get_u64(&fixed);
    return 0;
}

void event_child_exited_pack(struct wire_writer *writer, const struct event_child_exited *m)
{
    wire_put_u32(writer, CHILD_EXITED_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u16(writer, m->role);
    wire_put_u16(writer, m->signal);
    wire_put_u32(writer, m->status);
    wire_put_u32(writer, m->pid);
    wire_put_u32(writer, m->restarts);
    wire_put_u32(writer, m->again_ms);
    wire_put_u32(writer, 0);
    wire_put_u64(writer, m->exited_ns);
}

int event_child_exited_unpack(const uint8_t *payload, size_t size, struct event_child_exited *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    ret->process = wire_get_u32(&fixed);
    ret->role = wire_get_u16(&fixed);
    ret->signal = wire_get_u16(&fixed);
    ret->status = wire_get_u32(&fixed);
    ret->pid = wire_get_u32(&fixed);
    ret->restarts = wire_get_u32(&fixed);
    ret->again_ms = wire_get_u32(&fixed);
    (void)wire_get_u32(&fixed);
    ret->exited_ns = wire_get_u64(&fixed);
    return 0;
}

void event_log_record_pack(struct wire_writer *writer, const struct event_log_record *m)
{
    wire_put_u32(writer, LOG_RECORD_SIZE);
    wire_put_u32(writer, m->dropped);
    wire_put_u64(writer, m->time_ns);
    wire_put_u16(writer, m->level);
    wire_put_u16(writer, (uint16_t)m->text.size);
    wire_put_u32(writer, 0);
    wire_put_text(writer, m->text);
}

int event_log_record_unpack(const uint8_t *payload, size_t size, struct event_log_record *ret)
{
    struct event_log_record m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.dropped = wire_get_u32(&fixed);
    m.time_ns = wire_get_u64(&fixed);
    m.level = wire_get_u16(&fixed);
    r = wire_take_text(&tail, wire_get_u16(&fixed), &m.text);
    if (r == 0)
        *ret = m;
    return r;
}

void event_process_output_pack(struct wire_writer *writer, const struct event_process_output *m)
{
    wire_put_u32(writer, PROCESS_OUTPUT_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u16(writer, m->stream);
    wire_put_u16(writer, (uint16_t)m->data.size);
    wire_put_text(writer, m->data);
}

int event_process_output_unpack(const uint8_t *payload, size_t size,
                                struct event_process_output *ret)
{
    struct event_process_output m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.process = wire_get_u32(&fixed);
    m.stream = wire_get_u16(&fixed);
    r = wire_take_data(&tail, wire_get_u16(&fixed), &m.data);
    if (r == 0)
        *ret = m;
    return r;
}

void event_pool_usage_pack(struct wire_writer *writer, const struct event_pool_usage *m)
{
    uint16_t count = m->count < EVENT_POOLS_MAX ? m->count : EVENT_POOLS_MAX;

    wire_put_u32(writer, POOL_USAGE_SIZE);
    wire_put_u32(writer, m->slot_bytes);
    wire_put_u16(writer, count);
    wire_put_u16(writer, 0);
    for (uint16_t i = 0; i < count; i++) {
        wire_put_u64(writer, m->pools[i].total);
        wire_put_u64(writer, m->pools[i].used);
        wire_put_u64(writer, m->pools[i].high_water);
        wire_put_list_item(writer, m->pools[i].name);
    }
}

/* One pool of a POOL_USAGE: three u64 and a named length. */
static int take_pool(struct wire_reader *tail, struct event_pool *ret_pool)
{
    if (tail->size - tail->offset < 3 * sizeof(uint64_t) + sizeof(uint16_t))
        return WIRE_E_TEXT;
    ret_pool->total = wire_get_u64(tail);
    ret_pool->used = wire_get_u64(tail);
    ret_pool->high_water = wire_get_u64(tail);
    return wire_take_text(tail, wire_get_u16(tail), &ret_pool->name);
}

int event_pool_usage_unpack(const uint8_t *payload, size_t size, struct event_pool_usage *ret)
{
    struct event_pool_usage m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.slot_bytes = wire_get_u32(&fixed);
    m.count = wire_get_u16(&fixed);
    if (m.count > EVENT_POOLS_MAX)
        return WIRE_E_TEXT;
    for (uint16_t i = 0; r == 0 && i < m.count; i++)
        r = take_pool(&tail, &m.pools[i]);
    if (r == 0)
        *ret = m;
    return r;
}

void event_pool_exhausted_pack(struct wire_writer *writer, const struct event_pool_exhausted *m)
{
    wire_put_u32(writer, POOL_EXHAUSTED_SIZE);
    wire_put_u32(writer, 0);
    wire_put_u64(writer, m->count);
    wire_put_u64(writer, m->used);
    wire_put_u64(writer, m->total);
    wire_put_u64(writer, m->bytes);
    wire_put_u64(writer, m->time_ns);
}

int event_pool_exhausted_unpack(const uint8_t *payload, size_t size,
                                struct event_pool_exhausted *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    (void)wire_get_u32(&fixed);
    ret->count = wire_get_u64(&fixed);
    ret->used = wire_get_u64(&fixed);
    ret->total = wire_get_u64(&fixed);
    ret->bytes = wire_get_u64(&fixed);
    ret->time_ns = wire_get_u64(&fixed);
    return 0;
}

void event_farewell_pack(struct wire_writer *writer, const struct event_farewell *m)
{
    wire_put_u32(writer, FAREWELL_SIZE);
    wire_put_u16(writer, m->how);
    wire_put_u16(writer, m->reason);
    wire_put_u32(writer, m->killed);
    wire_put_u32(writer, m->mounted);
}

int event_farewell_unpack(const uint8_t *payload, size_t size, struct event_farewell *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    ret->how = wire_get_u16(&fixed);
    ret->reason = wire_get_u16(&fixed);
    ret->killed = wire_get_u32(&fixed);
    ret->mounted = wire_get_u32(&fixed);
    return 0;
}

void event_clock_stepped_pack(struct wire_writer *writer, const struct event_clock_stepped *m)
{
    wire_put_u32(writer, CLOCK_STEPPED_SIZE);
    wire_put_u32(writer, 0);
    wire_put_u64(writer, m->before_ns);
    wire_put_u64(writer, m->after_ns);
}

int event_clock_stepped_unpack(const uint8_t *payload, size_t size, struct event_clock_stepped *ret)
{
    struct wire_reader fixed, tail;
    int r = wire_open_struct(payload, size, &fixed, &tail);

    if (r != 0)
        return r;
    (void)wire_get_u32(&fixed);
    ret->before_ns = wire_get_u64(&fixed);
    ret->after_ns = wire_get_u64(&fixed);
    return 0;
}
