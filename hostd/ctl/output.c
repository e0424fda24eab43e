/* output: poll(2), then no more than a pipe with room takes at once. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

ssize_t output_write(int fd, const void *data, size_t size, int wake_fd)
{
    const char *bytes = data;
    size_t done = 0;

    while (done < size) {
        struct pollfd pollers[] = {{.fd = wake_fd, .events = POLLIN},
                                   {.fd = fd, .events = POLLOUT}};
        size_t piece = size - done < PIPE_BUF ? size - done : PIPE_BUF;
        ssize_t n;

        if (poll(pollers, 2, -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if (pollers[0].revents != 0)
            break;
        n = write(fd, bytes + done, piece);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)done;
}

static ssize_t write_all(void *cookie, const char *data, size_t size)
{
    ssize_t n = output_write((int)(intptr_t)cookie, data, size, -1);

    if (n >= 0)
        return n;
    errno = (int)-n;
    return 0; /* fopencookie(3): an error */
}

static void replace(FILE **stream, int fd, int mode)
{
    int flags = fcntl(fd, F_GETFL);
    FILE *waiting;

    if (flags < 0 || (flags & O_NONBLOCK) == 0)
        return;
    waiting = fopencookie((void *)(intptr_t)fd, "w", (cookie_io_functions_t){.write = write_all});
    if (waiting == NULL)
        return;
    (void)setvbuf(waiting, NULL, mode, BUFSIZ);
    *stream = waiting;
}

void output_wait(void)
{
    replace(&stdout, STDOUT_FILENO, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    replace(&stderr, STDERR_FILENO, _IOLBF);
}
