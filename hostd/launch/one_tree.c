/*
 * one tree: what is loaded into diod, so that a share is served with all that is mounted in it.
 *
 * diod shows a folder of another device as an empty one, for its client to mount what belongs
 * there, and takes the number of a file for its identity. To it all is one device, in which each
 * file has its own number. Loaded into a jail (base/jail.h) alone.
 */
#include "renumber.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int status_of(int directory, const char *path, struct stat *ret, int flags)
{
    int r = (int)syscall(SYS_newfstatat, directory, path, ret, flags);

    if (r == 0 && renumber_is_foreign(ret->st_dev)) {
        ret->st_ino = renumber(ret->st_ino, ret->st_dev);
        ret->st_dev = renumber_device();
    }
    return r;
}

int stat(const char *path, struct stat *ret)
{
    return status_of(AT_FDCWD, path, ret, 0);
}

int lstat(const char *path, struct stat *ret)
{
    return status_of(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *ret)
{
    return status_of(fd, "", ret, AT_EMPTY_PATH);
}

/* What a program calls that was built with large files, which are usual on a machine of 64 bits. */
int stat64(const char *path, struct stat64 *ret)
{
    return stat(path, (struct stat *)ret);
}

int lstat64(const char *path, struct stat64 *ret)
{
    return lstat(path, (struct stat *)ret);
}

int fstat64(int fd, struct stat64 *ret)
{
    return fstat(fd, (struct stat *)ret);
}

/* Likewise with a C library before 2.33; the first argument names the layout, of which there is one
 * there. */
int __xstat(int version, const char *path, struct stat *ret);
int __lxstat(int version, const char *path, struct stat *ret);
int __fxstat(int version, int fd, struct stat *ret);

int __xstat(int version, const char *path, struct stat *ret)
{
    (void)version;
    return stat(path, ret);
}

int __lxstat(int version, const char *path, struct stat *ret)
{
    (void)version;
    return lstat(path, ret);
}

int __fxstat(int version, int fd, struct stat *ret)
{
    (void)version;
    return fstat(fd, ret);
}
