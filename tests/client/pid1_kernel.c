/*
 * PID 1's kernel where there is no machine: what a process namespace does not give it. All else of
 * it, and of the kernel, is the real thing.
 *
 * proc, sysfs and devtmpfs are there already (pid1_place.py); a share with the tag TAG is the
 * folder /shares/TAG, once that is there; nobody has a vsock device; and a user namespace of
 * anybody's has no groups to give away.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_setgroups(size_t count, const gid_t *groups);

/* A bind mount takes no flags, but has those of the mount that it is made of. */
static int mount_share(const char *tag, const char *target, unsigned long flags)
{
    char path[128];
    int r, error;

    (void)snprintf(path, sizeof(path), "/shares/%s", tag);
    if (access(path, F_OK) < 0) {
        errno = EINVAL; /* as virtiofs without a device of that tag */
        return -1;
    }
    if (__real_mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    r = __real_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
    /* Else what is below is unmounted from the target with it. */
    if (r == 0)
        r = __real_mount(NULL, path, NULL, MS_REC | MS_PRIVATE, NULL);
    if (r == 0)
        r = __real_mount(path, target, NULL, MS_BIND | MS_REC, NULL);
    error = errno;
    (void)umount2(path, MNT_DETACH);
    errno = error;
    return r;
}

int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    if (type && strcmp(type, "virtiofs") == 0)
        return mount_share(source, target, flags);
    if (type && (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0 ||
                 strcmp(type, "devtmpfs") == 0)) {
        errno = EBUSY;
        return -1;
    }
    return __real_mount(source, target, type, flags, data);
}

int __wrap_socket(int family, int type, int protocol)
{
    if (family == AF_VSOCK) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return __real_socket(family, type, protocol);
}

int __wrap_setgroups(size_t count, const gid_t *groups)
{
    (void)groups;
    return count == 0 ? 0 : -1;
}
