/*
 * device name: the names of what serves a device, each a hash of all that would make it another
 * one: if a device has the right name behind it, it is equal, and no file needs to remember that.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_NAME_H
#define GUESTLINK_HOSTD_DEVICE_NAME_H

#include <stdbool.h>

/* 16 hexadecimal digits and NUL. */
#define DEVICE_NAME_HASH_SIZE 17u

/* Hashes strings (FNV-1a, 64 bits), ended by NULL; the boundaries between them count. */
void device_name_hash(char buffer[DEVICE_NAME_HASH_SIZE], const char *first, ...)
    __attribute__((sentinel));

/* True if it can have come of device_name_hash(). */
bool device_name_is_hash(const char *text);

#endif
