/*
 * udmabuf: a part of a memory file as a separate file, a dma-buf of exactly these pages: its
 * holder cannot reach the rest of the file.
 */
#ifndef GUESTLINK_HOSTD_RELAY_UDMABUF_H
#define GUESTLINK_HOSTD_RELAY_UDMABUF_H

#include <stdint.h>

/* Opens the device. @return a descriptor or -errno; -ENOENT, -ENODEV: the kernel has none */
int udmabuf_open(void);

/* The largest part that the kernel makes one of, in bytes; a multiple of 1 MiB. */
uint64_t udmabuf_limit(void);

/*
 * Makes one.
 *
 * @param device        udmabuf_open()'s
 * @param memory        the file, a memfd; stays the caller's
 * @param offset, size  whole pages
 * @return a descriptor; -EBADF: the file is no memfd, so that it cannot be sealed; -EPERM: it is
 *         not sealed against shrinking; -EMEDIUMTYPE: the kernel makes none of such a memfd (huge
 *         pages on Linux 6.4 to 6.8; one sealed against writing; past its end); -errno
 */
int udmabuf_make(int device, int memory, uint64_t offset, uint64_t size);

/*
 * What an error of udmabuf_open() and udmabuf_make() means and what to do, if it will be the same
 * the next time; NULL: it may pass. Static.
 */
const char *udmabuf_obstacle(int error);

#endif
