/* address: where a daemon listens, as the configuration writes it. */
#include "address.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include <sys/socket.h>

#include <linux/vm_sockets.h>

/* Reads decimal digits up to @p end: no sign, no blanks, at most UINT32_MAX. */
static bool parse_u32(const char *text, const char *end, uint32_t *ret_value)
{
    uint64_t value = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

static int parse_vsock(const char *text, struct address *ret_address)
{
    struct address address = {.family = ADDRESS_VSOCK, .cid = VMADDR_CID_ANY};
    const char *colon = strchr(text, ':');

    if (!colon)
        return -EINVAL;
    if (colon > text && !parse_u32(text, colon, &address.cid))
        return -EINVAL;
    if (!parse_u32(colon + 1, text + strlen(text), &address.port) ||
        address.port == VMADDR_PORT_ANY)
        return -EINVAL;
    *ret_address = address;
    return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
    if (strncmp(text, "vsock:", 6) == 0)
        return parse_vsock(text + 6, ret_address);
    if (strncmp(text, "unix:/", 6) != 0 ||
        strlen(text + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return -EINVAL;
    *ret_address = (struct address){.family = ADDRESS_UNIX, .path = text + 5};
    return 0;
}

int address_hybrid_port(const char *path, uint32_t *ret_port, int *ret_base_size)
{
    const char *underscore = strrchr(path, '_');

    if (!underscore || underscore == path ||
        !parse_u32(underscore + 1, path + strlen(path), ret_port))
        return -EINVAL;
    if (ret_base_size)
        *ret_base_size = (int)(underscore - path);
    return 0;
}
