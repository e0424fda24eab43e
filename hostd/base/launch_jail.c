/* launch jail: the numbers of a jail, on their way to guestlink-launch. */
#include "launch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define READ_ONLY 1u
#define CONNECTED 2u

void launch_jail_pack(const struct jail *jail, char buffer[LAUNCH_NUMBERS_SIZE])
{
    (void)snprintf(buffer, LAUNCH_NUMBERS_SIZE, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %x",
                   jail->capabilities, jail->memory, jail->files,
                   (jail->read_only ? READ_ONLY : 0) | (jail->connected ? CONNECTED : 0));
}

int launch_jail_unpack(const char *numbers, struct jail *jail)
{
    uint64_t capabilities, memory, files;
    char check[LAUNCH_NUMBERS_SIZE];
    unsigned flags;

    if (sscanf(numbers, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %x", &capabilities, &memory, &files,
               &flags) != 4)
        return -EINVAL;
    jail->capabilities = capabilities;
    jail->memory = memory;
    jail->files = files;
    jail->read_only = (flags & READ_ONLY) != 0;
    jail->connected = (flags & CONNECTED) != 0;
    launch_jail_pack(jail, check);
    return strcmp(check, numbers) == 0 ? 0 : -EINVAL;
}
