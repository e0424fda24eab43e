/*
 * qemu version: which QEMU it is, as its QMP socket's greeting says.
 */
#ifndef GUESTLINK_HOSTD_QEMU_VERSION_H
#define GUESTLINK_HOSTD_QEMU_VERSION_H

#include <json-c/json.h>
#include <stdbool.h>

#define QEMU_VERSION_SIZE 16u

/* The first one that vhost-user adapters were seen to work with. 7.2 ends by SIGSEGV when the
 * guest's driver starts a hot-plugged one. */
#define QEMU_VERSION_FOR_PASST 10

/*
 * Reads the version.
 *
 * @param greeting     any value: what a QEMU says that its guest may have taken over
 * @param ret_version  "10.0"; "" if it says none
 */
void qemu_version_read(struct json_object *greeting, char ret_version[QEMU_VERSION_SIZE]);

/* @return true if a QEMU of that version can have a vhost-user adapter; one of none cannot */
bool qemu_version_takes_passt(const char *version);

#endif
