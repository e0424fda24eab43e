/* launch jail: the numbers of a jail, on their way to guestlink-launch. */
#include "launch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_ONLY 1u
#define CONNECTED 2u
#define NETWORK   4u

void launch_jail_pack(const struct jail *jail, char buffer[LAUNCH_NUMBERS_SIZE])
{
    (void)snprintf(buffer, LAUNCH_NUMBERS_SIZE, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %x",
                   jail->capabilities, jail->memory, jail->files,
                   (jail->read_only ? READ_ONLY : 0) | (jail->connected ? CONNECTED : 0) |
                       (jail->network ? NETWORK : 0));
}

int launch_jail_unpack(const char *numbers, struct jail *jail)
{
    uint64_t number[4];
    char *end = (char *)numbers;
    char check[LAUNCH_NUMBERS_SIZE];

    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
        number[i] = strtoull(end, &end, 16);
    *jail = (struct jail){.folder = jail->folder,
                          .place = jail->place,
                          .library = jail->library,
                          .calls = jail->calls,
                          .capabilities = number[0],
                          .memory = number[1],
                          .files = number[2],
                          .read_only = (number[3] & READ_ONLY) != 0,
                          .connected = (number[3] & CONNECTED) != 0,
                          .network = (number[3] & NETWORK) != 0};
    /* what is no number, or more than four, does not come out as it went in */
    launch_jail_pack(jail, check);
    return strcmp(check, numbers) == 0 ? 0 : -EINVAL;
}
