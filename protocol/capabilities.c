/* capabilities: what a guest kernel can do, as its PID 1 tells the host. */
#include "capabilities.h"

#include "frame.h"

#include <string.h>

void capabilities_pack(struct wire_writer *writer, const struct guest_capabilities *capabilities)
{
    wire_put_u32(writer, CAPABILITIES_SIZE);
    wire_put_u16(writer, PROTOCOL_MAJOR);
    wire_put_u16(writer, PROTOCOL_MINOR);
    wire_put_u64(writer, capabilities->features);
    wire_put_u64(writer, capabilities->swiotlb_base);
    wire_put_u64(writer, capabilities->swiotlb_size);
    wire_put_u64(writer, capabilities->memory_bytes);
    wire_put_u32(writer, capabilities->page_size);
    wire_put_u32(writer, capabilities->cpu_count);
    wire_put_bytes(writer, capabilities->boot_id, sizeof(capabilities->boot_id));
    wire_put_padded(writer, capabilities->kernel_release, CAPABILITIES_RELEASE_SIZE);
    wire_put_padded(writer, capabilities->init_version, CAPABILITIES_VERSION_SIZE);
    wire_put_u64(writer, capabilities->started_ns);
    wire_put_u64(writer, capabilities->sent_ns);
}

/* A field of @p size bytes: NUL-padded, a NUL at its end, printable UTF-8 before. */
static bool padded_text_is_sound(const char *field, size_t size)
{
    size_t length = strnlen(field, size);
    struct wire_text text = {.data = field, .size = length};

    for (size_t i = length; i < size; i++) {
        if (field[i] != '\0')
            return false;
    }
    return length < size && wire_text_is_valid(text) && !wire_text_has_control(text);
}

int capabilities_unpack(const uint8_t *payload, size_t size,
                        struct guest_capabilities *ret_capabilities)
{
    struct guest_capabilities c = {0};
    struct wire_reader fixed, tail;
    int r;

    r = wire_open_struct(payload, size, &fixed, &tail);
    if (r != 0)
        return r;
    c.major = wire_get_u16(&fixed);
    c.minor = wire_get_u16(&fixed);
    if (c.major != PROTOCOL_MAJOR) {
        ret_capabilities->major = c.major;
        ret_capabilities->minor = c.minor;
        return CAPABILITIES_E_VERSION;
    }
    c.features = wire_get_u64(&fixed);
    c.swiotlb_base = wire_get_u64(&fixed);
    c.swiotlb_size = wire_get_u64(&fixed);
    c.memory_bytes = wire_get_u64(&fixed);
    c.page_size = wire_get_u32(&fixed);
    c.cpu_count = wire_get_u32(&fixed);
    wire_get_bytes(&fixed, c.boot_id, sizeof(c.boot_id));
    wire_get_bytes(&fixed, c.kernel_release, sizeof(c.kernel_release));
    wire_get_bytes(&fixed, c.init_version, sizeof(c.init_version));
    c.started_ns = wire_get_u64(&fixed);
    c.sent_ns = wire_get_u64(&fixed);
    if (!padded_text_is_sound(c.kernel_release, sizeof(c.kernel_release)) ||
        !padded_text_is_sound(c.init_version, sizeof(c.init_version)))
        return CAPABILITIES_E_MALFORMED;

    *ret_capabilities = c;
    return 0;
}

bool capabilities_same_facts(const struct guest_capabilities *a, const struct guest_capabilities *b)
{
    return a->major == b->major && a->minor == b->minor && a->features == b->features &&
           a->swiotlb_base == b->swiotlb_base && a->swiotlb_size == b->swiotlb_size &&
           a->memory_bytes == b->memory_bytes && a->page_size == b->page_size &&
           a->cpu_count == b->cpu_count &&
           memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0 &&
           strcmp(a->kernel_release, b->kernel_release) == 0 &&
           strcmp(a->init_version, b->init_version) == 0;
}

const char *capabilities_pool_kind(const struct guest_capabilities *capabilities)
{
    bool any = capabilities->swiotlb_base != 0 || capabilities->swiotlb_size != 0;

    if (any && (capabilities->features & CAPABILITIES_SWIOTLB_DEFAULT))
        return "default";
    return any || (capabilities->features & CAPABILITIES_SWIOTLB_PUBLISHED) ? "published" : "none";
}
