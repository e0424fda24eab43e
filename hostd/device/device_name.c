/* device name: the names of what serves a device. */
#include "device_name.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void device_name_hash(char buffer[DEVICE_NAME_HASH_SIZE], const char *first, ...)
{
    uint64_t hash = FNV_BASIS;
    va_list list;

    va_start(list, first);
    for (const char *text = first; text; text = va_arg(list, const char *))
        for (size_t i = 0; i <= strlen(text); i++) /* with the NUL, which is the boundary */
            hash = (hash ^ (uint8_t)text[i]) * FNV_PRIME;
    va_end(list);
    (void)snprintf(buffer, DEVICE_NAME_HASH_SIZE, "%016" PRIx64, hash);
}

bool device_name_is_hash(const char *text)
{
    return strlen(text) == DEVICE_NAME_HASH_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == DEVICE_NAME_HASH_SIZE - 1;
}
