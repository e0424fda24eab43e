/*
 * output: bytes to standard output and standard error, which belong to the program that started us:
 * they may be non-blocking, and their reader may take its time.
 */
#ifndef GUESTLINK_CTL_OUTPUT_H
#define GUESTLINK_CTL_OUTPUT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes all of @p data, waiting for room whether or not the descriptor waits by itself.
 *
 * @param wake_fd  when it is readable, this returns with what is written so far; or -1
 * @return the bytes written, fewer only because of @p wake_fd; or -errno
 */
ssize_t output_write(int fd, const void *data, size_t size, int wake_fd);

/* Has stdout and stderr wait for room where their descriptors do not. */
void output_wait(void);

#endif
