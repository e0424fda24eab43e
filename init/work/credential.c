/* credential: what a VM manager tells systemd's way. */
#include "credential.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

#define OEM_STRINGS 11u
#define HEADER_SIZE 5u /* type, length, handle, count of strings */
#define PREFIX      "io.systemd.credential:"

/* Structures of this type that are looked at. */
#define ENTRIES 16

int credential_find_smbios(const uint8_t *entry, size_t size, const char *name, char *value,
                           size_t capacity)
{
    size_t at, name_size = strlen(name);

    if (size < HEADER_SIZE || entry[0] != OEM_STRINGS || entry[1] < HEADER_SIZE)
        return -EINVAL;
    for (at = entry[1]; at < size && entry[at] != '\0';) {
        const char *string = (const char *)entry + at;
        size_t length = strnlen(string, size - at);

        if (at + length == size)
            return -EINVAL; /* the last string has no end */
        at += length + 1;
        if (length <= strlen(PREFIX) + name_size || strncmp(string, PREFIX, strlen(PREFIX)) != 0 ||
            strncmp(string + strlen(PREFIX), name, name_size) != 0 ||
            string[strlen(PREFIX) + name_size] != '=')
            continue;
        string += strlen(PREFIX) + name_size + 1;
        if (strlen(string) >= capacity)
            return -ENAMETOOLONG;
        memcpy(value, string, strlen(string) + 1);
        return 0;
    }
    return -ENOENT;
}

int credential_read(const char *name, char *value, size_t capacity)
{
    char path[PATH_MAX], raw[4096];

    for (int i = 0; i < ENTRIES; i++) {
        int n;

        (void)snprintf(path, sizeof(path), "/sys/firmware/dmi/entries/11-%d/raw", i);
        n = fd_read_file(path, raw, sizeof(raw));
        if (n < 0)
            break;
        if (credential_find_smbios((const uint8_t *)raw, (size_t)n, name, value, capacity) == 0)
            return 0;
    }
    (void)snprintf(path, sizeof(path),
                   "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/%s/raw", name);
    return fd_read_file(path, value, capacity) > 0 ? 0 : -ENOENT;
}
