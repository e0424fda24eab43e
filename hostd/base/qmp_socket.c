/* qmp socket: connects to a VM's QMP socket, and to no other VM's. */
#include "qmp_socket.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* As the kernel has it (path_resolution(7)). */
#define LINKS_MAX 40u

/* A way through the file system, so far. */
struct walk {
    int fd;             /* O_PATH: where it is */
    struct stat status; /* of that */
    char way[PATH_MAX]; /* as it is known so far */
    const char *rest;   /* of that: what is left */
    unsigned links;     /* followed */
    const char *problem;
};

static bool is_trusted(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

static int refuse(struct walk *walk, const char *problem)
{
    walk->problem = problem;
    return -EPERM;
}

/* Goes on from @p fd (consumed, or -1 with errno). @return 0 or -errno */
static int move(struct walk *walk, int fd)
{
    struct stat status;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    if (walk->fd >= 0)
        (void)close(walk->fd);
    walk->fd = fd;
    walk->status = status;
    return 0;
}

static int begin_at(struct walk *walk, bool root)
{
    return move(walk, open(root ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* Puts what the link @p name says in front of the rest of the way. */
static int follow(struct walk *walk, const char *name, uid_t owner)
{
    char way[PATH_MAX];
    size_t rest = strlen(walk->rest);
    ssize_t size;

    if (!is_trusted(owner) || !is_trusted(walk->status.st_uid))
        return refuse(walk, "its path goes through a symbolic link that does not belong to root");
    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    size = readlinkat(walk->fd, name, way, sizeof(way));
    if (size < 0)
        return -errno;
    if ((size_t)size + rest + 1 > sizeof(way))
        return -ENAMETOOLONG;
    memcpy(way + size, walk->rest, rest + 1); /* begins with a slash */
    memcpy(walk->way, way, sizeof(way));
    walk->rest = walk->way;
    return way[0] == '/' ? begin_at(walk, true) : 0;
}

/* Others than its owner, too, may rename what is in it: one VM's socket to another one's name. */
static bool is_anybodys(const struct stat *folder)
{
    return folder->st_mode & (S_IWGRP | S_IWOTH) && !(folder->st_mode & S_ISVTX);
}

/* Whether its folder keeps @p owner's socket, or the folder of one, where it is. @return 0 or
 * -EPERM */
static int check_place(struct walk *walk, uid_t owner)
{
    const struct stat *folder = &walk->status;

    if (is_trusted(owner) || owner == folder->st_uid)
        return 0;
    if (!is_trusted(folder->st_uid))
        return refuse(walk, "the socket, or a folder on its path, belongs neither to root nor "
                            "to the owner of the folder around it");
    if (is_anybodys(folder))
        return refuse(walk,
                      "others can rename the socket, or a folder on its path, because they can "
                      "write to the folder around it (give the VM its own folder, or make that "
                      "one sticky: chmod +t)");
    return 0;
}

/* Takes one name off the way and goes there. @p last: it is the socket's */
static int step(struct walk *walk, const char *name, bool last)
{
    int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return move(walk, fd);
    if (!S_ISLNK(status.st_mode)) {
        int r = strcmp(name, "..") == 0 ? 0 : check_place(walk, status.st_uid);

        if (r < 0)
            (void)close(fd);
        return r < 0 ? r : move(walk, fd);
    }
    (void)close(fd);
    return last ? refuse(walk, "the socket is a symbolic link") : follow(walk, name, status.st_uid);
}

/* @return 0 at the folder of the socket, whose name is in @p name then; or -errno */
static int walk_to_folder(struct walk *walk, const char *path, char name[NAME_MAX + 1])
{
    size_t size = strlen(path);
    int r = begin_at(walk, path[0] == '/');

    if (size >= sizeof(walk->way))
        return -ENAMETOOLONG;
    memcpy(walk->way, path, size + 1);
    walk->rest = walk->way;
    while (r == 0) {
        const char *part = walk->rest + strspn(walk->rest, "/");
        size_t length = strcspn(part, "/");

        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, part, length);
        name[length] = '\0';
        if (part[length] == '\0')
            return length > 0 ? 0 : -EISDIR;
        walk->rest = part + length;
        r = step(walk, name, false);
    }
    return r;
}

/* The socket, in its folder. */
static int walk_to_socket(struct walk *walk, const char *name)
{
    int r = step(walk, name, true);

    if (r < 0)
        return r;
    if (!S_ISSOCK(walk->status.st_mode))
        return refuse(walk, "not a socket");
    if (walk->status.st_nlink > 1)
        return refuse(walk, "the socket has a second name (a hard link)");
    return 0;
}

/* @return 0 or -errno */
static int connect_to(struct walk *walk, int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t size = sizeof(peer);

    /* The inode that was looked at, whatever has its name by now. */
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", walk->fd);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (peer.uid != walk->status.st_uid && !is_trusted(peer.uid))
        return refuse(walk, "the process listening there runs neither as the socket's owner nor "
                            "as root");
    return 0;
}

int qmp_socket_connect(const char *path, struct qmp_socket *ret_socket, const char **ret_problem)
{
    struct walk walk = {.fd = -1};
    char name[NAME_MAX + 1];
    FD fd = -1;
    int r = walk_to_folder(&walk, path, name);

    if (r == 0)
        r = walk_to_socket(&walk, name);
    if (r == 0 && (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        r = -errno;
    if (r == 0)
        r = connect_to(&walk, fd);
    fd_close(&walk.fd);
    if (r == -EPERM)
        *ret_problem = walk.problem ? walk.problem : strerrordesc_np(EPERM);
    else if (r == 0)
        *ret_socket = (struct qmp_socket){
            .fd = fd_take(&fd), .uid = walk.status.st_uid, .gid = walk.status.st_gid};
    return r;
}
