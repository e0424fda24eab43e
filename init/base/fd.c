/* fd: owned file descriptors, and small files read or written whole. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

void fd_closep(int *fd)
{
    *fd = fd_close(*fd);
}

int fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

int fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static int read_until(const char *path, char last, char *buffer, size_t capacity)
{
    FD_CLOSE int fd = -1;
    size_t size = 0;

    buffer[0] = '\0';
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (size < capacity - 1 && (size == 0 || last == '\0' || buffer[size - 1] != last)) {
        ssize_t n = read(fd, buffer + size, capacity - 1 - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            buffer[0] = '\0';
            return -errno;
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    buffer[size] = '\0';
    return size > INT_MAX ? INT_MAX : (int)size;
}

int fd_read_file(const char *path, char *buffer, size_t capacity)
{
    return read_until(path, '\0', buffer, capacity);
}

int fd_read_line(const char *path, char *buffer, size_t capacity)
{
    return read_until(path, '\n', buffer, capacity);
}

int fd_write_file(const char *path, const char *text)
{
    FD_CLOSE int fd = -1;
    size_t size = strlen(text);

    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, text, size) != (ssize_t)size)
        return errno != 0 ? -errno : -EIO;
    return 0;
}
