/* console: standard input, output and error of PID 1. */
#include "console.h"

#include <fcntl.h>
#include <unistd.h>

void console_ensure(void)
{
    int fd;

    /* The kernel opens all three or none. */
    if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
        return;
    fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    if (fd < 0) /* not even that: the numbers must still be taken, by something harmless */
        fd = open("/", O_RDONLY | O_DIRECTORY);
    while (fd >= 0 && fd < STDERR_FILENO)
        fd = dup(fd);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}
