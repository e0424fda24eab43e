/* terminal: a pseudo-terminal for one program. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/fd.h"

/* Erasing a character then erases all of its bytes. */
static void set_utf8(int fd)
{
    struct termios settings;

    if (tcgetattr(fd, &settings) < 0)
        return;
    settings.c_iflag |= IUTF8;
    (void)tcsetattr(fd, TCSANOW, &settings);
}

int terminal_open(uint16_t rows, uint16_t columns, int *ret_master, int *ret_slave)
{
    FD_CLOSE int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int slave, unlocked = 0, r;

    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        return -errno;
    /* By the master, not by its name: nobody can have mounted anything else in the way. */
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    set_utf8(slave);
    r = terminal_resize(master, rows, columns);
    if (r < 0) {
        (void)fd_close(slave);
        return r;
    }
    *ret_master = fd_take(&master);
    *ret_slave = slave;
    return 0;
}

int terminal_resize(int master, uint16_t rows, uint16_t columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};

    return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

uint8_t terminal_end_of_file(int master)
{
    struct termios settings;

    return tcgetattr(master, &settings) < 0 ? 'D' - '@' : settings.c_cc[VEOF];
}
