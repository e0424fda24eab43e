/* descriptor: what may come with a message. */
#include "descriptor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What /proc/self/fd says of one. */
#define EVENTFD "anon_inode:[eventfd]"

bool descriptor_is_event(int fd)
{
    char path[32], target[sizeof(EVENTFD)];
    ssize_t size;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    size = readlink(path, target, sizeof(target));
    return size == sizeof(EVENTFD) - 1 && memcmp(target, EVENTFD, sizeof(EVENTFD) - 1) == 0;
}

/* One of O_PATH counts as open for reading. */
static bool is_memory(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) == O_RDWR && fstat(fd, &status) == 0 &&
           S_ISREG(status.st_mode);
}

static bool is_pipe(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_PATH) && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool descriptors_may_go(const struct vhost_user_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (!descriptor_is_event(message->fds[i]) && !is_memory(message->fds[i]) &&
            !is_pipe(message->fds[i]))
            return false;
    return true;
}

bool descriptors_may_come_back(const struct vhost_user_message *message)
{
    return message->fd_count == 0 || (message->request == VHOST_USER_GET_INFLIGHT_FD &&
                                      message->fd_count == 1 && is_memory(message->fds[0]));
}
