/*
 * qemu name: the ids that guestlink's devices have in QEMU.
 *
 * A device's id says what it is for (`guestlink-fs-<tag>`, `guestlink-net-<id>`). The id of what is
 * behind it (the chardev, the netdev) is a hash of all that would make it another one: if a device
 * has the right backend it is equal, and no file needs to remember that.
 */
#ifndef GUESTLINK_HOSTD_QEMU_NAME_H
#define GUESTLINK_HOSTD_QEMU_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define QEMU_NAME_FS  "guestlink-fs-"
#define QEMU_NAME_NET "guestlink-net-"

/* A prefix and a name of at most 64 bytes, each of which may take three. */
#define QEMU_NAME_SIZE 256u

/* 16 hexadecimal digits and NUL. */
#define QEMU_NAME_HASH_SIZE 17u

/*
 * Writes prefix and name, such that QEMU takes it for an id (letters, digits, `-`, `_`, `.`): other
 * bytes, and `.`, become `.` and two hexadecimal digits.
 *
 * @return 0 or -ENAMETOOLONG
 */
int qemu_name_device(const char *prefix, const char *name, char buffer[QEMU_NAME_SIZE]);

/* Hashes strings (FNV-1a, 64 bits), ended by NULL; the boundaries between them count. */
void qemu_name_hash(char buffer[QEMU_NAME_HASH_SIZE], const char *first, ...)
    __attribute__((sentinel));

/* True if it can have come of qemu_name_hash(). */
bool qemu_name_is_hash(const char *text);

#endif
