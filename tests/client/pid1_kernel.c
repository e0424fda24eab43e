/*
 * PID 1's kernel where there is no machine: what a process namespace does not give it. All else of
 * it, and of the kernel, is the real thing.
 *
 * proc, sysfs and devtmpfs are there already (pid1_place.py); a share with the tag TAG is the
 * folder /shares/TAG, once that is there, and so is a block device or a 9P share of that name;
 * where there is a folder /vsock, port PORT of the vsock device CID is the Unix socket CID.PORT in
 * it; and a user namespace of anybody's has no groups to give away.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
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

/* The connection is checked, and its other end hears the options. */
static int mount_9p(const char *tag, const char *target, unsigned long flags, const char *options)
{
    const char *reads = strstr(options, "rfdno="), *writes = strstr(options, "wfdno=");
    int in = reads ? (int)strtol(reads + strlen("rfdno="), NULL, 10) : -1;
    int out = writes ? (int)strtol(writes + strlen("wfdno="), NULL, 10) : -2;

    if (strncmp(options, "trans=fd,", strlen("trans=fd,")) != 0 || in != out ||
        fcntl(in, F_GETFL) & O_NONBLOCK || dprintf(in, "%s", options) < 0) {
        errno = EINVAL;
        return -1;
    }
    return mount_share(tag, target, flags);
}

/* The type and the options are in its file `mounted`. */
static int mount_block(const char *device, const char *target, const char *type,
                       unsigned long flags, const char *options)
{
    const char *name = device + strlen("/dev/");
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/shares/%s/mounted", name);
    file = fopen(path, "we");
    if (!file)
        return -1;
    (void)fprintf(file, "%s %s\n", type, options);
    (void)fclose(file);
    return mount_share(name, target, flags);
}

int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    if (type && strcmp(type, "9p") == 0)
        return mount_9p(source, target, flags, data);
    if (type && strcmp(type, "tmpfs") != 0 && strncmp(source, "/dev/", 5) == 0)
        return mount_block(source, target, type, flags, data);
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
    if (family == AF_VSOCK && access("/vsock", F_OK) < 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return __real_socket(family == AF_VSOCK ? AF_UNIX : family, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return address->sa_family == AF_VSOCK ? 0 : __real_bind(fd, address, size);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_vm *remote = (const void *)address;
    struct sockaddr_un way = {.sun_family = AF_UNIX};

    if (address->sa_family != AF_VSOCK)
        return __real_connect(fd, address, size);
    (void)snprintf(way.sun_path, sizeof(way.sun_path), "/vsock/%u.%u", remote->svm_cid,
                   remote->svm_port);
    return __real_connect(fd, (const struct sockaddr *)&way, sizeof(way));
}

int __wrap_setgroups(size_t count, const gid_t *groups)
{
    (void)groups;
    return count == 0 ? 0 : -1;
}
