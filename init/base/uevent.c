/* uevent: what the kernel says when a device comes or is bound to its driver. */
#include "uevent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "fd.h"

/* UEVENT_BUFFER_SIZE of the kernel is 2048, plus the header string with a path. */
#define MESSAGE_SIZE 8192u

#define KERNEL_GROUP 1u /* lib/kobject_uevent.c; udev's own is 2 */

int uevent_parse(const char *data, size_t size, struct uevent *ret)
{
    struct uevent event = {0};
    const char *at = memchr(data, '@', size);
    const char *end = data + size;

    if (!at || memchr(data, '\0', (size_t)(at - data)) || !memchr(at, '\0', (size_t)(end - at)))
        return -EINVAL;
    (void)snprintf(event.action, sizeof(event.action), "%.*s", (int)(at - data), data);
    (void)snprintf(event.devpath, sizeof(event.devpath), "%s", at + 1);
    for (const char *line = at + strlen(at) + 1; line < end;) {
        const char *nul = memchr(line, '\0', (size_t)(end - line));

        if (!nul)
            break;
        if (strncmp(line, "SUBSYSTEM=", 10) == 0)
            (void)snprintf(event.subsystem, sizeof(event.subsystem), "%s", line + 10);
        else if (strncmp(line, "DRIVER=", 7) == 0)
            (void)snprintf(event.driver, sizeof(event.driver), "%s", line + 7);
        line = nul + 1;
    }
    *ret = event;
    return 0;
}

int uevent_open(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
    FD_CLOSE int fd = -1;

    fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return fd_take(&fd);
}

int uevent_receive(int fd, struct uevent *ret)
{
    char data[MESSAGE_SIZE];

    for (;;) {
        struct sockaddr_nl sender = {0};
        socklen_t sender_size = sizeof(sender);
        ssize_t n;

        n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&sender, &sender_size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (sender.nl_pid == 0 && uevent_parse(data, (size_t)n, ret) == 0)
            return 0;
    }
}

bool uevent_is_arrival(const struct uevent *event, const char *subsystem)
{
    return strcmp(event->subsystem, subsystem) == 0 &&
           (strcmp(event->action, "add") == 0 || strcmp(event->action, "bind") == 0);
}
