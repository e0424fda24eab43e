/* request: what the host asks of the guest. */
#include "request.h"

#include <string.h>

#define SET_HOSTNAME_SIZE      8u
#define ADD_ENTROPY_SIZE       12u
#define MOUNT_SIZE             24u
#define UNMOUNT_SIZE           12u
#define CONFIGURE_NETWORK_SIZE 36u
#define START_PROCESS_SIZE     60u
#define SEND_SIGNAL_SIZE       12u
#define SHUT_DOWN_SIZE         12u
#define SET_TIME_SIZE          16u
#define PROCESS_INPUT_SIZE     12u
#define RESIZE_TERMINAL_SIZE   12u
#define OUTPUT_TAKEN_SIZE      12u

void request_set_hostname_pack(struct wire_writer *writer, const struct request_set_hostname *m)
{
    wire_put_u32(writer, SET_HOSTNAME_SIZE);
    wire_put_u16(writer, (uint16_t)m->name.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, m->name);
}

int request_set_hostname_unpack(const uint8_t *payload, size_t size,
                                struct request_set_hostname *ret)
{
    struct request_set_hostname m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r == 0)
        r = wire_take_text(&tail, wire_get_u16(&fixed), &m.name);
    if (r == 0)
        *ret = m;
    return r;
}

void request_add_entropy_pack(struct wire_writer *writer, const struct request_add_entropy *m)
{
    wire_put_u32(writer, ADD_ENTROPY_SIZE);
    wire_put_u32(writer, m->bits);
    wire_put_u16(writer, (uint16_t)m->data.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, m->data);
}

int request_add_entropy_unpack(const uint8_t *payload, size_t size, struct request_add_entropy *ret)
{
    struct request_add_entropy m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.bits = wire_get_u32(&fixed);
    r = wire_take_data(&tail, wire_get_u16(&fixed), &m.data);
    if (r == 0)
        *ret = m;
    return r;
}

void request_mount_pack(struct wire_writer *writer, const struct request_mount *m)
{
    wire_put_u32(writer, MOUNT_SIZE);
    wire_put_u32(writer, m->flags);
    wire_put_u32(writer, m->port);
    wire_put_u32(writer, m->timeout_ms);
    wire_put_u16(writer, m->transport);
    wire_put_u16(writer, (uint16_t)m->tag.size);
    wire_put_u16(writer, (uint16_t)m->target.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, m->tag);
    wire_put_text(writer, m->target);
}

int request_mount_unpack(const uint8_t *payload, size_t size, struct request_mount *ret)
{
    struct request_mount m = {0};
    struct wire_reader fixed, tail;
    uint16_t tag_size;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.flags = wire_get_u32(&fixed);
    m.port = wire_get_u32(&fixed);
    m.timeout_ms = wire_get_u32(&fixed);
    m.transport = wire_get_u16(&fixed);
    tag_size = wire_get_u16(&fixed);
    r = wire_take_text(&tail, tag_size, &m.tag);
    if (r == 0)
        r = wire_take_text(&tail, wire_get_u16(&fixed), &m.target);
    if (r == 0)
        *ret = m;
    return r;
}

void request_unmount_pack(struct wire_writer *writer, const struct request_unmount *m)
{
    wire_put_u32(writer, UNMOUNT_SIZE);
    wire_put_u32(writer, m->flags);
    wire_put_u16(writer, (uint16_t)m->target.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, m->target);
}

int request_unmount_unpack(const uint8_t *payload, size_t size, struct request_unmount *ret)
{
    struct request_unmount m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.flags = wire_get_u32(&fixed);
    r = wire_take_text(&tail, wire_get_u16(&fixed), &m.target);
    if (r == 0)
        *ret = m;
    return r;
}

void request_configure_network_pack(struct wire_writer *writer,
                                    const struct request_configure_network *m)
{
    const struct wire_list *lists[] = {&m->addresses, &m->gateways, &m->routes, &m->dns};

    wire_put_u32(writer, CONFIGURE_NETWORK_SIZE);
    wire_put_u32(writer, m->flags);
    wire_put_bytes(writer, m->mac, sizeof(m->mac));
    wire_put_u16(writer, 0);
    wire_put_u32(writer, m->mtu);
    wire_put_u32(writer, m->timeout_ms);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        wire_put_u16(writer, lists[i]->count);
    wire_put_u32(writer, m->metric);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        wire_put_bytes(writer, lists[i]->data, lists[i]->size);
}

int request_configure_network_unpack(const uint8_t *payload, size_t size,
                                     struct request_configure_network *ret)
{
    struct request_configure_network m = {0};
    struct wire_list *lists[] = {&m.addresses, &m.gateways, &m.routes, &m.dns};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.flags = wire_get_u32(&fixed);
    wire_get_bytes(&fixed, m.mac, sizeof(m.mac));
    (void)wire_get_u16(&fixed);
    m.mtu = wire_get_u32(&fixed);
    m.timeout_ms = wire_get_u32(&fixed);
    for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
        r = wire_take_list(&tail, wire_get_u16(&fixed), lists[i]);
    m.metric = wire_get_u32(&fixed);
    if (r == 0)
        *ret = m;
    return r;
}

void request_start_process_pack(struct wire_writer *writer, const struct request_start_process *m)
{
    wire_put_u32(writer, START_PROCESS_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u16(writer, m->role);
    wire_put_u16(writer, m->restart);
    wire_put_u32(writer, m->flags);
    wire_put_u32(writer, m->uid);
    wire_put_u32(writer, m->gid);
    wire_put_u16(writer, (uint16_t)m->directory.size);
    wire_put_u16(writer, m->argv.count);
    wire_put_u16(writer, m->environment.count);
    wire_put_u16(writer, 0);
    wire_put_u16(writer, m->stop_signal);
    wire_put_u16(writer, m->limits.count);
    wire_put_u32(writer, m->stop_timeout_ms);
    wire_put_u64(writer, m->memory_max);
    wire_put_u32(writer, m->pids_max);
    wire_put_u16(writer, m->umask);
    wire_put_u16(writer, 0);
    wire_put_u16(writer, m->rows);
    wire_put_u16(writer, m->columns);
    wire_put_text(writer, m->directory);
    wire_put_bytes(writer, m->argv.data, m->argv.size);
    wire_put_bytes(writer, m->environment.data, m->environment.size);
    wire_put_bytes(writer, m->limits.data, m->limits.size);
}

int request_start_process_unpack(const uint8_t *payload, size_t size,
                                 struct request_start_process *ret)
{
    struct request_start_process m = {0};
    uint16_t directory_size, words, variables;
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.process = wire_get_u32(&fixed);
    m.role = wire_get_u16(&fixed);
    m.restart = wire_get_u16(&fixed);
    m.flags = wire_get_u32(&fixed);
    m.uid = wire_get_u32(&fixed);
    m.gid = wire_get_u32(&fixed);
    directory_size = wire_get_u16(&fixed);
    words = wire_get_u16(&fixed);
    variables = wire_get_u16(&fixed);
    (void)wire_get_u16(&fixed);
    m.stop_signal = wire_get_u16(&fixed);
    m.limits.count = wire_get_u16(&fixed);
    m.stop_timeout_ms = wire_get_u32(&fixed);
    m.memory_max = wire_get_u64(&fixed);
    m.pids_max = wire_get_u32(&fixed);
    m.umask = wire_get_u16(&fixed);
    (void)wire_get_u16(&fixed);
    m.rows = wire_get_u16(&fixed);
    m.columns = wire_get_u16(&fixed);
    r = wire_take_text(&tail, directory_size, &m.directory);
    if (r == 0)
        r = wire_take_list(&tail, words, &m.argv);
    if (r == 0)
        r = wire_take_list(&tail, variables, &m.environment);
    if (r == 0)
        r = wire_take_list(&tail, m.limits.count, &m.limits);
    if (r == 0)
        *ret = m;
    return r;
}

void request_send_signal_pack(struct wire_writer *writer, const struct request_send_signal *m)
{
    wire_put_u32(writer, SEND_SIGNAL_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u32(writer, m->signal);
}

int request_send_signal_unpack(const uint8_t *payload, size_t size, struct request_send_signal *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    ret->process = wire_get_u32(&fixed);
    ret->signal = wire_get_u32(&fixed);
    return 0;
}

void request_shut_down_pack(struct wire_writer *writer, const struct request_shut_down *m)
{
    wire_put_u32(writer, SHUT_DOWN_SIZE);
    wire_put_u16(writer, m->how);
    wire_put_u16(writer, 0);
    wire_put_u32(writer, m->grace_ms);
}

int request_shut_down_unpack(const uint8_t *payload, size_t size, struct request_shut_down *ret)
{
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    ret->how = wire_get_u16(&fixed);
    (void)wire_get_u16(&fixed);
    ret->grace_ms = wire_get_u32(&fixed);
    return 0;
}

void request_set_time_pack(struct wire_writer *writer, const struct request_set_time *m)
{
    wire_put_u32(writer, SET_TIME_SIZE);
    wire_put_u32(writer, 0);
    wire_put_u64(writer, m->realtime_ns);
}

int request_set_time_unpack(const uint8_t *payload, size_t size, struct request_set_time *ret)
{
    struct wire_reader fixed, tail;
    int r = wire_open_struct(payload, size, &fixed, &tail);

    if (r != 0)
        return r;
    (void)wire_get_u32(&fixed);
    ret->realtime_ns = wire_get_u64(&fixed);
    return 0;
}

void request_resize_terminal_pack(struct wire_writer *writer,
                                  const struct request_resize_terminal *m)
{
    wire_put_u32(writer, RESIZE_TERMINAL_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u16(writer, m->rows);
    wire_put_u16(writer, m->columns);
}

int request_resize_terminal_unpack(const uint8_t *payload, size_t size,
                                   struct request_resize_terminal *ret)
{
    struct wire_reader fixed, tail;
    int r = wire_open_struct(payload, size, &fixed, &tail);

    if (r != 0)
        return r;
    ret->process = wire_get_u32(&fixed);
    ret->rows = wire_get_u16(&fixed);
    ret->columns = wire_get_u16(&fixed);
    return 0;
}

void request_process_input_pack(struct wire_writer *writer, const struct request_process_input *m)
{
    wire_put_u32(writer, PROCESS_INPUT_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u16(writer, (uint16_t)m->data.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, m->data);
}

int request_process_input_unpack(const uint8_t *payload, size_t size,
                                 struct request_process_input *ret)
{
    struct request_process_input m = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    m.process = wire_get_u32(&fixed);
    r = wire_take_data(&tail, wire_get_u16(&fixed), &m.data);
    if (r == 0)
        *ret = m;
    return r;
}

void request_output_taken_pack(struct wire_writer *writer, const struct request_output_taken *m)
{
    wire_put_u32(writer, OUTPUT_TAKEN_SIZE);
    wire_put_u32(writer, m->process);
    wire_put_u32(writer, m->bytes);
}

int request_output_taken_unpack(const uint8_t *payload, size_t size,
                                struct request_output_taken *ret)
{
    struct wire_reader fixed, tail;
    int r = wire_open_struct(payload, size, &fixed, &tail);

    if (r != 0)
        return r;
    ret->process = wire_get_u32(&fixed);
    ret->bytes = wire_get_u32(&fixed);
    return 0;
}
