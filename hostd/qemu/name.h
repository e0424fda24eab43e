/*
 * qemu name: the ids that guestlink's devices have in QEMU.
 *
 * A device's id says what it is for (`guestlink-fs-<tag>`, `guestlink-net-<id>`). The id of what is
 * behind it (the chardev, the netdev) is a hash (device/device_name.h) of all that would make it
 * another one: if a device has the right backend it is equal, and no file needs to remember that.
 */
#ifndef GUESTLINK_HOSTD_QEMU_NAME_H
#define GUESTLINK_HOSTD_QEMU_NAME_H

#include "device/device_name.h"

#define QEMU_NAME_FS  "guestlink-fs-"
#define QEMU_NAME_NET "guestlink-net-"

/* A prefix and a name of at most 64 bytes, each of which may take three. */
#define QEMU_NAME_SIZE 256u

/*
 * Writes prefix and name, such that QEMU takes it for an id (letters, digits, `-`, `_`, `.`): other
 * bytes, and `.`, become `.` and two hexadecimal digits.
 *
 * @return 0 or -ENAMETOOLONG
 */
int qemu_name_device(const char *prefix, const char *name, char buffer[QEMU_NAME_SIZE]);

#endif
