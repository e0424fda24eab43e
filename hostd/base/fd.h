/*
 * fd: a file descriptor that is closed where its name ends.
 */
#ifndef GUESTLINK_HOSTD_FD_H
#define GUESTLINK_HOSTD_FD_H

#include <unistd.h>

static inline void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* A local; negative: there is none. */
#define FD __attribute__((cleanup(fd_close))) int

/* @return what *fd was, which is the caller's to close from here on */
static inline int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#endif
