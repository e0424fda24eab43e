/* host_address: where the host is. */
#include "host_address.h"

#include <errno.h>
#include <string.h>

/* Takes a decimal number of 32 bits that ends at @p end. */
static int take_number(const char **cursor, char end, uint32_t *ret)
{
    const char *p = *cursor;
    uint64_t value = 0;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > UINT32_MAX)
            return -EINVAL;
    }
    if (*p != end)
        return -EINVAL;
    *cursor = end == '\0' ? p : p + 1;
    *ret = (uint32_t)value;
    return 0;
}

int host_address_parse(const char *text, struct host_address *ret)
{
    static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-_";
    struct host_address address = {0};

    if (strncmp(text, "vsock:", 6) == 0) {
        const char *cursor = text + 6;

        address.kind = HOST_ADDRESS_VSOCK;
        if (take_number(&cursor, ':', &address.cid) < 0 ||
            take_number(&cursor, '\0', &address.port) < 0)
            return -EINVAL;
    } else if (strncmp(text, "virtio-port:", 12) == 0) {
        size_t size = strlen(text + 12);

        address.kind = HOST_ADDRESS_VIRTIO_PORT;
        if (size == 0 || size >= sizeof(address.name) || strspn(text + 12, name_chars) != size ||
            text[12] == '.')
            return -EINVAL;
        memcpy(address.name, text + 12, size);
    } else {
        return -EINVAL;
    }
    *ret = address;
    return 0;
}
