/* lock: flock(2) of a directory decides, fcntl(2) of a file in it names the process. */
#include "lock.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#define NAME "lock"

/* A child of a daemon that was killed has its descriptors until it closes them, which is the first
 * thing that it does: so often, with so long a pause. */
#define TRIES    20
#define PAUSE_NS 50000000

/* @return the process, 0 if it is not known */
static pid_t find_holder(int directory)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    FD file = openat(directory, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (file < 0 || fcntl(file, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid < 0)
        return 0;
    return lock.l_pid;
}

/* Without it nobody can say who has the lock; the lock itself holds. */
static int put_name(int directory)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    FD file = openat(directory, NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (file < 0 || fcntl(file, F_SETLK, &lock) < 0)
        return -1;
    return fd_take(&file);
}

int lock_take(int directory, int *ret_file, pid_t *ret_pid)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};

    for (int i = 0; flock(directory, LOCK_EX | LOCK_NB) < 0; i++) {
        pid_t pid;

        if (errno != EWOULDBLOCK)
            return -errno;
        pid = find_holder(directory);
        if (pid != 0 || i == TRIES) {
            *ret_pid = pid;
            return -EBUSY;
        }
        (void)nanosleep(&pause, NULL);
    }
    *ret_file = put_name(directory);
    return 0;
}

int lock_ask(const char *state_dir, pid_t *ret_pid)
{
    FD directory = -1;
    char path[4096];

    if ((size_t)snprintf(path, sizeof(path), "%s/vms", state_dir) >= sizeof(path))
        return -ENAMETOOLONG;
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    if (flock(directory, LOCK_SH | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return -errno;
    *ret_pid = find_holder(directory);
    return -EBUSY;
}
