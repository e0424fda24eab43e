/* options: the option string that a device is made with. */
#include "options.h"

#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int options_join(char *buffer, size_t capacity, bool read_only, const char *token,
                 const char *vm_id)
{
    char joined[OPTIONS_SIZE];
    int length;

    token = token ? token : "";
    vm_id = vm_id ? vm_id : "";
    if (strchr(token, ';') || strchr(vm_id, ';'))
        return -EINVAL;
    length = snprintf(joined, sizeof(joined), "%s%s%s%s%s", read_only ? ";ro" : "",
                      *token ? ";" : "", token, *vm_id ? ";vmId=" : "", vm_id);
    if (length < 0 || (size_t)length >= sizeof(joined) || (size_t)length > capacity)
        return -ENOBUFS;
    if (length == 0) {
        if (capacity == 0)
            return -ENOBUFS;
        buffer[0] = '\0';
        return 0;
    }
    memcpy(buffer, joined + 1, (size_t)length);
    return length - 1;
}

int options_read_token(const char *options, uint64_t *ret_base, uint64_t *ret_size)
{
    char copy[OPTIONS_SIZE], again[OPTIONS_SIZE], *rest = copy, *token = NULL, *id = NULL;
    uint64_t base = 0, size = 0;
    bool read_only = false;

    if ((size_t)snprintf(copy, sizeof(copy), "%s", options) >= sizeof(copy))
        return -EINVAL;
    for (char *part; (part = strsep(&rest, ";"));) {
        if (strcmp(part, "ro") == 0)
            read_only = true;
        else if (strncmp(part, "vmId=", 5) == 0)
            id = part + 5;
        else if (token_parse(part, &base, &size) == 0)
            token = part;
    }
    /* Whatever was out of its order, there twice, or nothing that we know, is not there now. */
    if (options_join(again, sizeof(again), read_only, token, id) < 0 || strcmp(options, again) != 0)
        return -EINVAL;
    if (!token)
        return 0;
    *ret_base = base;
    *ret_size = size;
    return 1;
}
