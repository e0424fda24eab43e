/*
 * jail mounts: what is mounted below a jail's folder and holds the kernel's own state instead of
 * files. Through a procfs, a process with CAP_SETUID becomes the user of another process and reads
 * its memory; through a procfs or a sysfs, root without any capability becomes root on the host.
 */
#include "jail_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COVER (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct mounted {
    unsigned long long id;
    char *where, *type;
};

static bool is_kernels(const char *type)
{
    static const char *const types[] = {"proc",     "sysfs",   "debugfs",    "tracefs",
                                        "configfs", "cgroup",  "cgroup2",    "securityfs",
                                        "pstore",   "bpf",     "efivarfs",   "selinuxfs",
                                        "fusectl",  "resctrl", "binfmt_misc"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* Blanks, tabs, newlines and backslashes stand as \ and three octal digits. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++)
        if (text[0] == '\\' && text[1] && text[2] && text[3]) {
            *to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        } else {
            *to++ = *text;
        }
    *to = '\0';
}

/* A line of mountinfo: proc(5). @return false: it is none */
static bool read_line(char *line, struct mounted *ret_mounted)
{
    char *type = strstr(line, " - "), *rest = NULL;

    *ret_mounted = (struct mounted){.id = strtoull(line, NULL, 10)};
    if (!type)
        return false;
    *type = '\0';
    (void)strtok_r(line, " ", &rest);
    for (int i = 0; i < 3; i++) /* its parent's, its device's numbers, and its root there */
        (void)strtok_r(NULL, " ", &rest);
    ret_mounted->where = strtok_r(NULL, " ", &rest);
    ret_mounted->type = strtok_r(type + 3, " ", &rest);
    if (!ret_mounted->where || !ret_mounted->type)
        return false;
    unescape(ret_mounted->where);
    return true;
}

/* @return what lies over it from here on, or -errno */
static int make_cover(bool directory)
{
    int context, cover;

    if (!directory)
        return open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -errno;
    cover = fsconfig(context, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
                    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
                ? -1
                : fsmount(context, FSMOUNT_CLOEXEC, COVER);
    cover = cover < 0 ? -errno : cover;
    (void)close(context);
    return cover;
}

/* Links are not followed: what is below the folder may be a guest's, and change meanwhile. */
static int cover(int root, const struct mounted *mounted, const char *at)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    int point = (int)syscall(SYS_openat2, root, at, &how, sizeof(how)), over = -1, r = 0;
    struct statx info;

    if (point < 0)
        return -errno;
    if (statx(point, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &info) < 0)
        r = -errno;
    else if (info.stx_mnt_id != mounted->id) /* it was moved, or lies below another one */
        r = -ESTALE;
    if (r == 0)
        r = over = make_cover(S_ISDIR(info.stx_mode));
    if (over >= 0) {
        r = move_mount(over, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
                ? -errno
                : 0;
        (void)close(over);
    }
    (void)close(point);
    return r;
}

int jail_mounts_cover(int root, const char *mounted_at, const char *place, FILE *mountinfo)
{
    char prefix[PATH_MAX], *line = NULL, *covered = NULL;
    size_t capacity = 0, length;
    struct mounted mounted;
    int r = 0;

    (void)snprintf(prefix, sizeof(prefix), "%s%s", mounted_at, place);
    for (length = strlen(prefix); length > 0 && prefix[length - 1] == '/'; length--)
        ;
    while (r == 0 && getline(&line, &capacity, mountinfo) > 0) {
        size_t known = covered ? strlen(covered) : 0;

        if (!read_line(line, &mounted) || !is_kernels(mounted.type) ||
            strncmp(mounted.where, prefix, length) != 0 ||
            (mounted.where[length] != '/' && mounted.where[length] != '\0') ||
            /* its parent is listed before it, and covers it */
            (covered && strncmp(mounted.where, covered, known) == 0 && mounted.where[known] == '/'))
            continue;
        r = cover(root, &mounted, mounted.where + strlen(mounted_at) + 1);
        free(covered);
        covered = strdup(mounted.where);
        r = covered ? r : -ENOMEM;
    }
    free(covered);
    free(line);
    return r;
}
