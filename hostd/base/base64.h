/*
 * base64: RFC 4648, with padding, for bytes of any kind in JSON.
 */
#ifndef GUESTLINK_HOSTD_BASE64_H
#define GUESTLINK_HOSTD_BASE64_H

#include <stddef.h>

#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* @param text  of BASE64_SIZE(size) + 1 bytes; gets a NUL. @return the length of the text */
size_t base64_encode(const void *data, size_t size, char *text);

/*
 * @param data  of @p capacity bytes
 * @return 0; -EINVAL if it is not exactly what base64_encode() writes; -ENOBUFS
 */
int base64_decode(const char *text, void *data, size_t capacity, size_t *ret_size);

#endif
