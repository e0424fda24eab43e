/*
 * mounted files: what is loaded into virtiofsd, so that files that are mounted in a share by
 * themselves have their own numbers.
 *
 * virtiofsd announces folders that are mount points, and each gets its own device number in
 * the guest. A file cannot be announced: it would have the number that it has where it comes from,
 * beside the files of the folder around it. Loaded into a jail (base/jail.h) alone.
 */
#include "renumber.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef long (*call_fn)(long number, ...);

/* The C library's own syscall(); ours is what the program finds. Libraries may call before
 * constructors run. */
static call_fn call(void)
{
    static call_fn known;

    if (!known)
        known = (call_fn)dlsym(RTLD_NEXT, "syscall");
    return known;
}

static dev_t device_of(const struct statx *status)
{
    return makedev(status->stx_dev_major, status->stx_dev_minor);
}

/* statx(2) alone says what is a mount point. */
int statx(int directory, const char *path, int flags, unsigned mask, struct statx *ret)
{
    long r = call()(SYS_statx, directory, path, flags, mask | STATX_TYPE | STATX_INO, ret);

    if (r == 0 && !S_ISDIR(ret->stx_mode) && ret->stx_attributes & STATX_ATTR_MOUNT_ROOT &&
        renumber_is_foreign(device_of(ret)))
        ret->stx_ino = renumber(ret->stx_ino, device_of(ret));
    return (int)r;
}

int fstatat(int directory, const char *path, struct stat *ret, int flags)
{
    long r = call()(SYS_newfstatat, directory, path, ret, flags);
    struct statx status;

    if (r == 0 && !S_ISDIR(ret->st_mode) && renumber_is_foreign(ret->st_dev) &&
        statx(directory, path, flags, STATX_INO, &status) == 0)
        ret->st_ino = status.stx_ino;
    return (int)r;
}

int fstatat64(int directory, const char *path, struct stat64 *ret, int flags)
{
    return fstatat(directory, path, (struct stat *)ret, flags);
}

int fstat(int fd, struct stat *ret)
{
    return fstatat(fd, "", ret, AT_EMPTY_PATH);
}

int fstat64(int fd, struct stat64 *ret)
{
    return fstat(fd, (struct stat *)ret);
}

/* The one in Rust calls statx(2) by its number. */
long syscall(long number, ...)
{
    long words[6];
    va_list arguments;

    va_start(arguments, number);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        words[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_statx)
        return statx((int)words[0], (const char *)words[1], (int)words[2], (unsigned)words[3],
                     (struct statx *)words[4]);
    return call()(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
