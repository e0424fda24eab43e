/* welcome: the host's answer to CAPABILITIES. */
#include "welcome.h"

void welcome_pack(struct wire_writer *writer, const struct welcome *welcome)
{
    wire_put_u32(writer, WELCOME_SIZE);
    wire_put_u16(writer, welcome->major);
    wire_put_u16(writer, welcome->minor);
    wire_put_u32(writer, welcome->status);
    wire_put_u16(writer, (uint16_t)welcome->name.size);
    wire_put_text(writer, welcome->name);
}

int welcome_unpack(const uint8_t *payload, size_t size, struct welcome *ret_welcome)
{
    struct wire_reader fixed, tail;
    struct welcome welcome;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    welcome.major = wire_get_u16(&fixed);
    welcome.minor = wire_get_u16(&fixed);
    welcome.status = wire_get_u32(&fixed);
    r = wire_take_text(&tail, wire_get_u16(&fixed), &welcome.name);
    if (r == 0)
        *ret_welcome = welcome;
    return r;
}

const char *welcome_status_text(uint32_t status)
{
    switch (status) {
    case WELCOME_ACCEPTED:
        return "accepted";
    case WELCOME_VERSION:
        return "protocol version not supported";
    case WELCOME_UNKNOWN_VM:
        return "unknown VM";
    case WELCOME_MALFORMED:
        return "malformed capabilities";
    case WELCOME_TOO_MANY:
        return "too many connections";
    case WELCOME_UNPRIVILEGED:
        return "not from a privileged port";
    default:
        return "refused for a reason that this version does not know";
    }
}
