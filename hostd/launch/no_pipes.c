/*
 * no pipes: what is loaded into diod, so that a client that opens a pipe of the share blocks
 * nobody.
 *
 * diod opens what its client asks for, waits for a pipe's other end, and holds a lock meanwhile
 * that every other request of the connection needs. A kernel that mounts a share never asks for
 * that: it implements pipes itself. So a pipe is answered as a socket in the file tree is:
 * ENXIO.
 *
 * For diod's convenience alone, not what keeps a guest in: the jail does that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What fcntl(2) can set, so that O_NONBLOCK goes and the others stay. */
#define STATUS_FLAGS (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME)

static int open_raw(int directory, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, directory, path, flags | O_LARGEFILE, mode);
}

static int open_no_pipe(int directory, const char *path, int flags, mode_t mode)
{
    bool waits = !(flags & (O_NONBLOCK | O_PATH));
    int fd = open_raw(directory, path, waits ? flags | O_NONBLOCK : flags, mode);
    struct stat st;

    if (fd < 0 && errno == EAGAIN && waits) /* a lease of another program's: it gives that up */
        return open_raw(directory, path, flags, mode);
    if (fd < 0 || flags & O_PATH)
        return fd;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        (void)close(fd);
        errno = ENXIO;
        return -1;
    }
    if (waits)
        (void)fcntl(fd, F_SETFL, flags & STATUS_FLAGS);
    return fd;
}

/* The last parameter is there if a file may be made. */
#define MODE(flags, mode)                                                                          \
    do {                                                                                           \
        va_list arguments;                                                                         \
                                                                                                   \
        va_start(arguments, flags);                                                                \
        if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE)                                   \
            (mode) = va_arg(arguments, mode_t);                                                    \
        va_end(arguments);                                                                         \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE(flags, mode);
    return open_no_pipe(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE(flags, mode);
    return open_no_pipe(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE(flags, mode);
    return open_no_pipe(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE(flags, mode);
    return open_no_pipe(directory, path, flags, mode);
}
