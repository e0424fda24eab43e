/* qemu name: the ids that guestlink's devices have in QEMU. */
#include "name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

int qemu_name_device(const char *prefix, const char *name, char buffer[QEMU_NAME_SIZE])
{
    size_t used = strlen(prefix);

    if (used + strlen(name) * 3 >= QEMU_NAME_SIZE)
        return -ENAMETOOLONG;
    memcpy(buffer, prefix, used + 1);
    for (; *name; name++)
        used += (size_t)snprintf(buffer + used, QEMU_NAME_SIZE - used,
                                 is_plain(*name) ? "%c" : ".%02x", (unsigned char)*name);
    return 0;
}
