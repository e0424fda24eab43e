/* target: where a share may be mounted. */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

static bool is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

int target_check(const char *path, struct report *report)
{
    static const char *const kept[] = {"/proc", "/sys", "/dev"};
    const char *part = path;

    if (path[0] != '/' || path[1] == '\0' || strlen(path) >= PATH_MAX)
        return report_fail(report, EINVAL,
                           "target '%.100s': expected an absolute path other than /", path);
    while (*part == '/') {
        size_t size = strcspn(++part, "/");

        if (size == 0 || (size == 1 && part[0] == '.') ||
            (size == 2 && part[0] == '.' && part[1] == '.'))
            return report_fail(report, EINVAL,
                               "target '%.100s': empty, '.' and '..' parts are refused", path);
        part += size;
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (is_below(path, kept[i]))
            return report_fail(report, EINVAL, "target '%.100s': %s belongs to the kernel", path,
                               kept[i]);
    return 0;
}

/* Takes the next part of @p cursor, a path that target_check() passed. @return false: too long */
static bool take_part(const char **cursor, char name[NAME_MAX + 1])
{
    size_t size;

    *cursor += **cursor == '/';
    size = strcspn(*cursor, "/");
    if (size > NAME_MAX)
        return false;
    memcpy(name, *cursor, size);
    name[size] = '\0';
    *cursor += size;
    return true;
}

/*
 * Goes from @p fd one part of @p path down.
 *
 * @param fd  changes
 * @return 0, or a positive errno with the reason in @p report
 */
static int descend(int *fd, const char *name, bool make, const char *path, struct report *report)
{
    int next, made = make && mkdirat(*fd, name, 0755) < 0 ? errno : 0;

    if (made != 0 && made != EEXIST && made != EROFS)
        return report_fail(report, made, "target '%.100s': cannot create '%.60s': %s", path, name,
                           strerror(made));
    /* With O_PATH and O_NOFOLLOW a symbolic link is opened itself, and is no directory. */
    next = openat(*fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    /* Missing, on a read-only filesystem: that is the reason worth telling. */
    if (next < 0 && errno == ENOENT && made == EROFS)
        return report_fail(report, EROFS, "target '%.100s': cannot create '%.60s': %s", path, name,
                           strerror(EROFS));
    if (next < 0)
        return report_fail(report, errno, "target '%.100s': '%.60s' is not a plain directory: %s",
                           path, name, strerror(errno));
    (void)fd_close(*fd);
    *fd = next;
    return 0;
}

/*
 * Walks @p path, without its last part if that is wanted in @p ret_last (else NULL).
 *
 * @return 0, or a positive errno with the reason in @p report
 */
static int walk(const char *path, bool make, char *ret_last, struct report *report, int *ret_fd)
{
    FD_CLOSE int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *cursor = path;
    char name[NAME_MAX + 1];

    if (fd < 0)
        return report_fail(report, errno, "cannot open /: %s", strerror(errno));
    while (*cursor != '\0') {
        if (!take_part(&cursor, name))
            return report_fail(report, ENAMETOOLONG, "target '%.100s': a part is too long", path);
        if (ret_last && *cursor == '\0')
            memcpy(ret_last, name, sizeof(name));
        else if (descend(&fd, name, make, path, report) != 0)
            return report->error;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int target_open(const char *path, struct report *report, int *ret_fd)
{
    return walk(path, true, NULL, report, ret_fd);
}

int target_enter(const char *path, struct report *report, char ret_name[NAME_MAX + 1])
{
    FD_CLOSE int fd = -1;
    int r = walk(path, false, ret_name, report, &fd);

    if (r == 0 && fchdir(fd) < 0)
        r = report_fail(report, errno, "target '%.100s': %s", path, strerror(errno));
    return r;
}
