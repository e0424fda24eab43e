/*
 * token: `swiotlb=0x<base, lower-case hex>,<size, decimal bytes>`, what a device is told of a pool.
 */
#ifndef GUESTLINK_PROTOCOL_TOKEN_H
#define GUESTLINK_PROTOCOL_TOKEN_H

#include <stddef.h>
#include <stdint.h>

/* "swiotlb=0x" + 16 digits + "," + 20 digits + NUL */
#define TOKEN_SIZE 48u

/* Writes the token of a pool that pool_judge() found usable. @param buffer of TOKEN_SIZE bytes */
void token_format(char *buffer, uint64_t base, uint64_t size);

/*
 * Reads a token, exactly as token_format() writes it: no other case, no leading zeros, no blanks.
 *
 * @return 0, or -EINVAL
 */
int token_parse(const char *token, uint64_t *ret_base, uint64_t *ret_size);

#endif
