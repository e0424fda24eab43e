/*
 * swiotlb: the bounce pool that the kernel published for its host, if it did.
 */
#ifndef GUESTLINK_INIT_SWIOTLB_H
#define GUESTLINK_INIT_SWIOTLB_H

#include <stdbool.h>
#include <stdint.h>

#define SWIOTLB_DIRECTORY "/sys/bus/vmbus/drivers/hv_pci/"

/*
 * Reads the text of a sysfs file as a number: any base that strtoull(…, 0) knows, one newline
 * allowed behind it, nothing else.
 *
 * @return 0, -EINVAL or -ERANGE
 */
int swiotlb_parse(const char *text, uint64_t *ret_value);

/* The same of the file at @p path. @return 0, a negative errno of the file's, or of its text */
int swiotlb_read_number(const char *path, uint64_t *ret_value);

/*
 * Reads the pool's two files.
 *
 * @param ret_base, ret_size  0 if not published
 * @return 1 if both files are there and hold numbers, 0 if they are not there, or a negative errno
 *         (logged by the caller; counts as not published)
 */
int swiotlb_read(uint64_t *ret_base, uint64_t *ret_size);

#endif
