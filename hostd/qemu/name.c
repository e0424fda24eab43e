/* qemu name: the ids that guestlink's devices have in QEMU. */
#include "name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

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

void qemu_name_hash(char buffer[QEMU_NAME_HASH_SIZE], const char *first, ...)
{
    uint64_t hash = FNV_BASIS;
    va_list list;

    va_start(list, first);
    for (const char *text = first; text; text = va_arg(list, const char *))
        for (size_t i = 0; i <= strlen(text); i++) /* with the NUL, which is the boundary */
            hash = (hash ^ (uint8_t)text[i]) * FNV_PRIME;
    va_end(list);
    (void)snprintf(buffer, QEMU_NAME_HASH_SIZE, "%016" PRIx64, hash);
}

bool qemu_name_is_hash(const char *text)
{
    return strlen(text) == QEMU_NAME_HASH_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == QEMU_NAME_HASH_SIZE - 1;
}
