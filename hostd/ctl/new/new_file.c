/* new file: a replacement is written beside the file, synced, and renamed. */
#include "new_file.h"

#include "base/fd.h"
#include "protocol/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)16 << 20)

int new_file_read(const char *path, char **ret_text, size_t *ret_size)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(FILE_BYTES + 1) : NULL;
    size_t size = 0;
    ssize_t n;

    if (text == NULL)
        return fd < 0 ? -errno : -ENOMEM;
    while ((n = read(fd, text + size, FILE_BYTES + 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0 || size > FILE_BYTES) {
        int r = n < 0 ? -errno : -EFBIG;

        free(text);
        return r;
    }
    text[size] = '\0';
    *ret_text = text;
    *ret_size = size;
    return 0;
}

/* @return 0, or -errno */
static int fill(int fd, const char *text)
{
    size_t size = strlen(text);
    ssize_t n;

    for (; size > 0; text += n, size -= (size_t)n) {
        n = write(fd, text, size);
        if (n < 0)
            return -errno;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int set_owner(int fd, const char *path)
{
    const struct group *group = geteuid() == 0 ? getgrnam("guestlink") : NULL;
    struct stat status = {
        .st_uid = (uid_t)-1, .st_gid = group != NULL ? group->gr_gid : (gid_t)-1, .st_mode = 0640};

    if (stat(path, &status) < 0 && errno != ENOENT)
        return -errno;
    if (fchown(fd, status.st_uid, status.st_gid) < 0 || fchmod(fd, status.st_mode & 07777) < 0)
        return -errno;
    return 0;
}

int new_file_replace(const char *path, const char *text)
{
    char beside[LIMITS_PATH];
    FD fd = -1;
    int r;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= sizeof(beside))
        return -ENAMETOOLONG;
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = set_owner(fd, path);
    if (r == 0)
        r = fill(fd, text);
    if (r == 0 && rename(beside, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(beside);
    return r;
}

int new_file_create(const char *path, const char *text)
{
    FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int r = fd < 0 ? -errno : fill(fd, text);

    if (fd >= 0 && r < 0)
        (void)unlink(path);
    return r;
}
