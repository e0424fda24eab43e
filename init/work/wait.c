/* wait: until there is another reason to try. */
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/uevent.h"
#include "link/dial.h"
#include "protocol/limits.h"

static int open_loader(pid_t loader)
{
    return loader > 0 ? (int)syscall(SYS_pidfd_open, loader, 0) : -1;
}

struct wait wait_begin(const struct modules_late *late, uint32_t timeout_ms)
{
    return (struct wait){
        .uevents = uevent_open(),
        .loader = open_loader(late->loader),
        .half_ns = clock_in_ms(timeout_ms / 2),
        .end_ns = clock_in_ms(timeout_ms),
    };
}

void wait_end(struct wait *wait)
{
    if (wait->uevents >= 0)
        (void)close(wait->uevents);
    wait->loader = fd_close(wait->loader);
}

/* @return 0: a device came, or some uevents were lost; 1: the loader ended; or a negative errno */
static int wait_until(const struct wait *wait, const char *subsystem, uint64_t until_ns)
{
    struct pollfd fds[] = {{.fd = wait->uevents, .events = POLLIN},
                           {.fd = wait->loader, .events = POLLIN}};

    for (;;) {
        struct uevent event;
        int r;

        if (clock_ms_until(until_ns) == 0) /* however many events keep coming */
            return -ETIMEDOUT;
        r = uevent_receive(wait->uevents, &event);
        if (r == -ENOBUFS || (r == 0 && uevent_is_arrival(&event, subsystem)))
            return 0;
        if (r == 0)
            continue;
        if (r != -EAGAIN)
            return r;
        r = poll(fds, 2, clock_ms_until(until_ns)); /* an fd of -1 is passed over */
        if (r == 0)
            return -ETIMEDOUT;
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0 && fds[1].revents != 0)
            return 1;
    }
}

int wait_next(struct wait *wait, const char *subsystem)
{
    int r;

    if (wait->uevents < 0)
        return wait->uevents;
    r = wait_until(wait, subsystem, wait->rescanned ? wait->end_ns : wait->half_ns);
    if (r == 1)
        wait->loader = fd_close(wait->loader);
    if (r == -ETIMEDOUT && !wait->rescanned) {
        wait->rescanned = true;
        (void)fd_write_file("/sys/bus/pci/rescan", "1");
        return 0;
    }
    return r < 0 ? r : 0;
}

void wait_loader(pid_t loader, uint64_t until_ns)
{
    FD_CLOSE int fd = open_loader(loader);

    if (fd >= 0)
        (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, clock_ms_until(until_ns));
}

int wait_connected(uint32_t cid, uint32_t vsock_port, uint64_t until_ns)
{
    const struct host_address address = {
        .kind = HOST_ADDRESS_VSOCK, .cid = cid, .port = vsock_port};
    uint16_t port = LIMITS_PRIVILEGED_PORTS - 1 - (uint16_t)(getpid() % 256);
    FD_CLOSE int fd = dial_open(&address, &port);
    int error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0)
        return fd;
    if (poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, clock_ms_until(until_ns)) <= 0)
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    if (error != 0)
        return -error;
    if (fcntl(fd, F_SETFL, 0) < 0)
        return -errno;
    return fd_take(&fd);
}
