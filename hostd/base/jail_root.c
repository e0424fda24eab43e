/*
 * jail root: the file tree of a jail. Everything in it is a separate mount in a small tmpfs,
 * which is read-only when the program begins.
 */
#include "fd.h"
#include "jail_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A directory that every host has. The new root covers it for the moment in which it must be
 * mounted somewhere; nothing that goes into the jail comes from there. */
#define COVERED "/proc"

/* Where the procfs is that /proc/self points into: nothing else can be put into a procfs. */
#define PROCESSES "processes"

/* For the loader's list: paths of JAIL_LIBRARIES files as long as they come. */
#define LIST_SIZE 32768u

#define LIBRARY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define FOLDER  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define DEVICE  (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

/* Makes what something is mounted on, and the directories that lead there. */
static int make_point(int root, const char *path, bool directory)
{
    char part[PATH_MAX];

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        if (mkdirat(root, part, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    if ((directory ? mkdirat(root, path, 0755) : mknodat(root, path, S_IFREG | 0644, 0)) < 0 &&
        errno != EEXIST)
        return -errno;
    return 0;
}

/*
 * Takes the host's @p from, to be mounted. Nothing is opened: a pipe blocks nobody, a device is not
 * asked.
 *
 * @param directory  what it must be: -ENOTDIR, -EISDIR
 */
static int take_tree(const char *from, bool directory)
{
    FD tree = open_tree(AT_FDCWD, from,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (directory ? AT_RECURSIVE : 0u));
    struct stat st;

    if (tree < 0 || fstat(tree, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    return fd_take(&tree);
}

/* Mounts it at @p at. */
static int put_tree(int root, int tree, const char *at, bool directory, uint64_t attributes)
{
    struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
    int r;

    while (*at == '/')
        at++;
    r = make_point(root, at, directory);
    if (r < 0)
        return r;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
        move_mount(tree, "", root, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

static int place(int root, const char *from, const char *at, uint64_t attributes)
{
    FD tree = take_tree(from, false);

    return tree < 0 ? tree : put_tree(root, tree, at, false, attributes);
}

static int place_program(int root, const struct jail *jail, const char *program,
                         const char **ret_step)
{
    static char list[LIST_SIZE];
    const char *paths[JAIL_LIBRARIES + 1] = {NULL};
    int r;

    *ret_step = "the list of its libraries";
    r = jail_libraries(program, list, sizeof(list), paths);
    if (r < 0)
        return r;
    *ret_step = "the program in it";
    r = place(root, program, program, LIBRARY);
    *ret_step = r < 0 ? *ret_step : "its libraries in it";
    for (size_t i = 0; r == 0 && paths[i]; i++)
        r = place(root, paths[i], paths[i], LIBRARY);
    if (r < 0 || !jail->library)
        return r;
    *ret_step = jail->library;
    return place(root, jail->library, JAIL_LIBRARY, LIBRARY);
}

/* @return the root, empty and mounted, or -errno */
static int make_root(void)
{
    FD context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    FD root = -1;

    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    root =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (root < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        move_mount(root, "", AT_FDCWD, COVERED, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return fd_take(&root);
}

/* The old root goes on top of the new one, and from there away: pivot_root(2). */
static int change_root(int root)
{
    static const struct mount_attr finished = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mount_setattr(root, "", AT_EMPTY_PATH, (struct mount_attr *)&finished, sizeof(finished)) <
            0 ||
        fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return -errno;
    return 0;
}

/* A limit of the host's on open files, which decides nothing in here. */
static int make_limit(int root, const char *path)
{
    FD file = -1;
    int r = make_point(root, path, false);

    if (r < 0)
        return r;
    file = openat(root, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    return file < 0 || dprintf(file, "%d\n", INT_MAX) < 0 ? -errno : 0;
}

/* Without the first file QEMU's virtiofsd does not begin, without the second the one in Rust,
 * whatever limit they are told to have. */
static int make_limits(int root)
{
    int r = make_limit(root, "proc/sys/fs/file-max");

    return r < 0 ? r : make_limit(root, "proc/sys/fs/nr_open");
}

/* A procfs of processes alone: in a whole one, root writes into /proc/sys without any capability.
 */
static int place_processes(int root)
{
    FD context = fsopen("proc", FSOPEN_CLOEXEC);
    FD mounted = -1;
    int r;

    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    mounted =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (mounted < 0)
        return -errno;
    r = make_limits(root);
    if (r == 0)
        r = make_point(root, PROCESSES, true);
    if (r < 0)
        return r;
    if (symlinkat("/" PROCESSES "/self", root, "proc/self") < 0 ||
        move_mount(mounted, "", root, PROCESSES, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

/* What the program serves, but for what the kernel shows of itself below it. */
static int place_folder(int root, const struct jail *jail, int folder, FILE *mountinfo,
                        const char **ret_step)
{
    int r;

    *ret_step = jail->folder ? jail->folder : "an empty folder in it";
    if (!jail->folder)
        return make_point(root, jail->place + 1, true);
    r = put_tree(root, folder, jail->place, true,
                 FOLDER | (jail->read_only ? MOUNT_ATTR_RDONLY : 0));
    if (r < 0)
        return r;
    *ret_step = "a cover for procfs, sysfs and the like that are mounted below the folder";
    return jail_mounts_cover(root, COVERED, jail->place, mountinfo);
}

static int fill_root(int root, const struct jail *jail, const char *program, const char **ret_step)
{
    int r = place_program(root, jail, program, ret_step);

    if (r < 0)
        return r;
    *ret_step = "/dev/null in it";
    r = place(root, "/dev/null", "/dev/null", DEVICE);
    if (r < 0 || !jail->processes)
        return r;
    *ret_step = "a procfs in it";
    return place_processes(root);
}

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

int jail_root_enter(const struct jail *jail, const char *program, const char **ret_step)
{
    /* before the root covers anything */
    __attribute__((cleanup(close_file))) FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
    FD folder = -1;
    FD root = -1;
    int r;

    *ret_step = "the list of mounts (/proc/self/mountinfo)";
    if (!mountinfo)
        return -errno;
    *ret_step = jail->folder;
    if (jail->folder)
        folder = take_tree(jail->folder, true);
    if (jail->folder && folder < 0)
        return folder;
    *ret_step = "its root";
    root = make_root();
    if (root < 0)
        return root;
    r = fill_root(root, jail, program, ret_step);
    if (r == 0)
        r = place_folder(root, jail, folder, mountinfo, ret_step);
    if (r < 0)
        return r;
    *ret_step = "the change into its root (pivot_root)";
    r = change_root(root);
    if (r < 0)
        return r;
    *ret_step = jail->place;
    return chdir(jail->place) < 0 ? -errno : 0;
}
