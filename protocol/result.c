/* result: how a request ended. */
#include "result.h"

void result_pack(struct wire_writer *writer, const struct result *result)
{
    wire_put_u32(writer, RESULT_SIZE);
    wire_put_u32(writer, (uint32_t)result->error);
    wire_put_u16(writer, (uint16_t)result->text.size);
    wire_put_u16(writer, 0);
    wire_put_text(writer, result->text);
}

int result_unpack(const uint8_t *payload, size_t size, struct result *ret_result)
{
    struct wire_reader fixed, tail;
    struct result result;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    result.error = (int32_t)wire_get_u32(&fixed);
    r = wire_take_text(&tail, wire_get_u16(&fixed), &result.text);
    if (r == 0)
        *ret_result = result;
    return r;
}
