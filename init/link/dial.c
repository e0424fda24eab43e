/* dial: opens a way to the host. */
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/directory.h"
#include "base/fd.h"
#include "base/limits.h"
#include "protocol/limits.h"

/* Half of the privileged ports, so that what else binds there has room. */
#define LOWEST_PORT 512u

static int bind_privileged(int fd, uint16_t *port)
{
    struct sockaddr_vm local = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};

    for (unsigned i = 0; i < LIMITS_PRIVILEGED_PORTS - LOWEST_PORT; i++) {
        if (*port < LOWEST_PORT || *port >= LIMITS_PRIVILEGED_PORTS)
            *port = LIMITS_PRIVILEGED_PORTS - 1;
        local.svm_port = (*port)--;
        if (bind(fd, (const struct sockaddr *)&local, sizeof(local)) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

static int open_vsock(uint32_t cid, uint32_t remote_port, uint16_t *port)
{
    struct sockaddr_vm remote = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = remote_port};
    FD_CLOSE int fd = -1;
    int r;

    fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) /* the vsock module is not there */
        return errno == EAFNOSUPPORT ? -ENODEV : -errno;
    r = bind_privileged(fd, port);
    if (r < 0)
        return r;
    if (connect(fd, (const struct sockaddr *)&remote, sizeof(remote)) < 0 && errno != EINPROGRESS)
        return errno == ENETUNREACH || errno == EHOSTUNREACH ? -ENODEV : -errno;
    return fd_take(&fd);
}

/* udev would make /dev/virtio-ports/NAME; the name itself stands in sysfs. */
static int find_virtio_port(const char *name, char *path, size_t capacity)
{
    static const char class[] = "/sys/class/virtio-ports";
    DIRECTORY_CLOSE struct directory directory;
    const char *entry;

    if (directory_open(class, &directory) < 0)
        return -ENODEV;
    while ((entry = directory_next(&directory))) {
        char file[PATH_MAX];
        char text[HOST_ADDRESS_NAME_SIZE + 1];

        (void)snprintf(file, sizeof(file), "%s/%s/name", class, entry);
        if (fd_read_file(file, text, sizeof(text)) < 0)
            continue;
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text, name) == 0) {
            (void)snprintf(path, capacity, "/dev/%s", entry);
            return 0;
        }
    }
    return -ENODEV;
}

static int open_virtio_port(const char *name)
{
    char path[PATH_MAX];
    int fd, r;

    r = find_virtio_port(name, path, sizeof(path));
    if (r < 0)
        return r;
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

int dial_open(const struct host_address *address, uint16_t *port)
{
    if (address->kind == HOST_ADDRESS_VIRTIO_PORT)
        return open_virtio_port(address->name);
    return open_vsock(address->cid, address->port, port);
}
