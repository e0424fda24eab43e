/*
 * config size: "64M", "4096K", "2G" or plain bytes.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_SIZE_H
#define GUESTLINK_HOSTD_CONFIG_SIZE_H

#include <stdint.h>

/*
 * Reads a size: decimal digits and at most one of K, M, G, T (of either case, powers of 1024),
 * optionally followed by `B` or `iB`.
 *
 * @return 0; or -EINVAL if it is none, -ERANGE if it is over 2^64 - 1
 */
int config_size_parse(const char *text, uint64_t *ret_bytes);

/*
 * Reads the withdrawn form of a pool, `[0x]<base>,<size>`.
 *
 * @return 0, or -EINVAL if it is not of that form
 */
int config_size_parse_withdrawn(const char *text, uint64_t *ret_bytes);

#endif
