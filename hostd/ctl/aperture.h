/*
 * aperture: what a share's virtiofsd, or an adapter's passt, can reach of its guest's memory, in
 * words.
 */
#ifndef GUESTLINK_CTL_APERTURE_H
#define GUESTLINK_CTL_APERTURE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Writes "virtiofsd of share code can reach 64.0 MiB + 8 KiB of 512 MiB (enforced by the kernel)".
 *
 * @param vm     io.guestlink.Vm
 * @param share  one of its shares or adapters
 * @return false: nothing is known of it
 */
bool aperture_describe(struct json_object *vm, struct json_object *share, char *buffer,
                       size_t capacity);

/* True if the kernel keeps it from the rest. */
bool aperture_is_enforced(struct json_object *share);

#endif
