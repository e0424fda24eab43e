/*
 * options: the option string that a device is made with.
 *
 * `ro` (if read-only), the token (if any), `vmId=<uuid>`, joined with `;`, never an empty part.
 */
#ifndef GUESTLINK_PROTOCOL_OPTIONS_H
#define GUESTLINK_PROTOCOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "ro;" + token + ";vmId=" + 36 digits and dashes + NUL, with room to spare */
#define OPTIONS_SIZE 128u

/*
 * Joins the option string of a device.
 *
 * @param buffer  of @p capacity bytes; untouched on failure
 * @param token   as token_format() made it; NULL or "" for none
 * @param vm_id   the VM's UUID; NULL or "" leaves the part out
 * @return the length of the string, or -ENOBUFS; -EINVAL if a part holds a `;`
 */
int options_join(char *buffer, size_t capacity, bool read_only, const char *token,
                 const char *vm_id);

/*
 * Reads the token out of an option string, exactly as options_join() writes one.
 *
 * @return 1: there is one; 0: there is none; -EINVAL: it is no option string
 */
int options_read_token(const char *options, uint64_t *ret_base, uint64_t *ret_size);

#endif
