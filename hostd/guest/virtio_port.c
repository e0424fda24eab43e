/* virtio port: whose it is by /proc, and one look at what there is to be read. */
#include "virtio_port.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct virtio_port {
    int fd; /* -1: it spoke, or ended */
    sd_event_source *source;
    void (*spoke)(void *userdata, int fd);
    void *userdata;
};

static bool is_qemu(const char *program)
{
    return strncmp(program, "qemu", 4) == 0;
}

/* The file that it runs, which takes the rights to look; else the name that everybody sees, of
 * which a process may have another. */
static bool runs_qemu(pid_t pid)
{
    char path[64], text[PATH_MAX];
    const char *name;
    ssize_t n;
    FD file = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    n = readlink(path, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    name = strrchr(text, '/');
    if (name)
        return is_qemu(name + 1);
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return is_qemu(text);
}

bool virtio_port_is_qemus(int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) >= 0 && peer.pid > 0 &&
           runs_qemu(peer.pid);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct virtio_port *port = userdata;
    char byte;
    ssize_t n = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

    (void)revents;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    port->source = sd_event_source_disable_unref(port->source);
    fd = fd_take(&port->fd);
    if (n > 0)
        port->spoke(port->userdata, fd);
    else
        (void)close(fd);
    return 0;
}

int virtio_port_new(sd_event *event, int fd, void (*spoke)(void *userdata, int fd), void *userdata,
                    struct virtio_port **ret_port)
{
    struct virtio_port *port = calloc(1, sizeof(*port));
    int r;

    if (!port) {
        (void)close(fd);
        return -ENOMEM;
    }
    *port = (struct virtio_port){.fd = fd, .spoke = spoke, .userdata = userdata};
    r = sd_event_add_io(event, &port->source, fd, EPOLLIN, on_readable, port);
    if (r >= 0)
        r = sd_event_source_set_enabled(port->source, SD_EVENT_ONESHOT);
    if (r < 0) {
        (void)virtio_port_free(port);
        return r;
    }
    *ret_port = port;
    return 0;
}

struct virtio_port *virtio_port_free(struct virtio_port *port)
{
    if (!port)
        return NULL;
    (void)sd_event_source_disable_unref(port->source);
    fd_close(&port->fd);
    free(port);
    return NULL;
}
