/* greeting: the answer to CAPABILITIES, whoever gives it. */
#include "greeting.h"

#include "protocol/limits.h"
#include "protocol/welcome.h"

void greeting_send(struct connection *connection, uint32_t id, uint16_t minor, uint32_t status,
                   const char *name)
{
    uint8_t payload[WELCOME_SIZE + LIMITS_VM_NAME];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    welcome_pack(&writer, &(struct welcome){.major = PROTOCOL_MAJOR,
                                            .minor = minor,
                                            .status = status,
                                            .name = wire_text_of(name)});
    (void)connection_send(connection, FRAME_WELCOME, FRAME_FLAG_ANSWER, id, payload, writer.size);
}
