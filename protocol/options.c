/* options: the option string that a device is made with. */
#include "options.h"

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
