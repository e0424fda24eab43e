/*
 * jail mounts: of what a list of mounts names, what is covered. The list is the test's, so that any
 * mount can be said to be a procfs; the mounts are the kernel's, in a namespace of each case.
 */
#include "base/jail_parts.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_NAMESPACE 77 /* exit status of a case that cannot be played here */

static char folder[FOLDER_BYTES]; /* where the jail's root is */
static char list[8192];           /* /proc/self/mountinfo */

/* In a test case, which is a separate process. */
#define NEED(condition) need(condition, #condition, __LINE__)

static void need(bool holds, const char *condition, int line)
{
    if (holds)
        return;
    (void)fprintf(stderr, "line %d: %s\n", line, condition);
    _exit(EXIT_FAILURE);
}

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s%s", folder, name);
    return path;
}

static bool write_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    (void)close(fd);
    return is_written;
}

static void enter_namespace(void)
{
    char users[32], groups[32];

    (void)snprintf(users, sizeof(users), "0 %u 1", (unsigned)geteuid());
    (void)snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getegid());
    if (unshare(CLONE_NEWNS) < 0 &&
        (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_map("/proc/self/setgroups", "deny") ||
         !write_map("/proc/self/uid_map", users) || !write_map("/proc/self/gid_map", groups)))
        _exit(NO_NAMESPACE);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("test", folder, "tmpfs", 0, NULL) < 0)
        _exit(NO_NAMESPACE);
}

static void play(void (*act)(void))
{
    int status;
    pid_t pid;

    folder_make(folder);
    list[0] = '\0';
    pid = fork();
    if (pid == 0) {
        enter_namespace();
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    folder_remove(folder);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE)
        skip(); /* this user can mount nothing */
    assert_int_equal(status, 0);
}

static unsigned long long id_of(const char *path)
{
    struct statx info;

    NEED(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info) == 0);
    return info.stx_mnt_id;
}

/* Adds a line. @param name  as it stands in the list */
static void add(unsigned long long id, const char *name, const char *type)
{
    size_t size = strlen(list);

    (void)snprintf(list + size, sizeof(list) - size,
                   "%llu 25 0:22 / %s%s rw,nosuid shared:7 master:2 - %s none rw\n", id, folder,
                   name, type);
}

/* Mounts something that has a file "inside". */
static void make(const char *name)
{
    char inside[256];
    int fd;

    (void)snprintf(inside, sizeof(inside), "%s/inside", path_of(name));
    NEED(mkdir(path_of(name), 0755) == 0 || errno == EEXIST);
    NEED(mount("test", path_of(name), "tmpfs", 0, NULL) == 0);
    fd = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    NEED(fd >= 0);
    (void)close(fd);
}

static void make_and_add(const char *name, const char *type)
{
    make(name);
    add(id_of(path_of(name)), name, type);
}

static bool is_covered(const char *name)
{
    char inside[256];

    (void)snprintf(inside, sizeof(inside), "%s/inside", path_of(name));
    NEED(access(path_of(name), F_OK) == 0);
    return access(inside, F_OK) < 0;
}

static int cover(const char *place)
{
    FILE *mountinfo = list[0] ? fmemopen(list, strlen(list), "r") : fopen("/dev/null", "re");
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), /* is 0 where standard input is closed */
        root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), r;

    NEED(mountinfo && root > 0);
    (void)close(STDIN_FILENO); /* the next one to be opened is 0: a descriptor like any other */
    r = jail_mounts_cover(root, folder, place, mountinfo);
    (void)fclose(mountinfo);
    NEED(close(root) == 0);
    (void)close(null);
    return r;
}

static void cover_what_is_the_kernels(void)
{
    static const char *const types[] = {"proc",     "sysfs",   "debugfs",    "tracefs",
                                        "configfs", "cgroup",  "cgroup2",    "securityfs",
                                        "pstore",   "bpf",     "efivarfs",   "selinuxfs",
                                        "fusectl",  "resctrl", "binfmt_misc"};
    static const char *const others[] = {"tmpfs", "ext4", "procfs", "fuse.proc", "nfs", "devtmpfs"};
    char name[64];

    NEED(mkdir(path_of("/share"), 0755) == 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        (void)snprintf(name, sizeof(name), "/share/%s", types[i]);
        make_and_add(name, types[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(name, sizeof(name), "/share/other-%s", others[i]);
        make_and_add(name, others[i]);
    }
    NEED(cover("/share") == 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        (void)snprintf(name, sizeof(name), "/share/%s", types[i]);
        NEED(is_covered(name));
        (void)snprintf(name, sizeof(name), "/share/%s/made", types[i]);
        NEED(mkdir(path_of(name), 0755) < 0 && errno == EROFS);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(name, sizeof(name), "/share/other-%s", others[i]);
        NEED(!is_covered(name));
    }
}

static void kernels_own_are_covered(void **state)
{
    (void)state;
    play(cover_what_is_the_kernels);
}

static void cover_below_the_place(void)
{
    make_and_add("/before", "proc");
    make_and_add("/share", "proc");
    make_and_add("/sharex", "proc");
    make_and_add("/shar", "proc");
    NEED(cover("/share") == 0);
    NEED(is_covered("/share"));
    NEED(!is_covered("/before") && !is_covered("/sharex") && !is_covered("/shar"));
}

static void cover_all(void)
{
    make_and_add("/a", "proc");
    make_and_add("/b", "sysfs");
    NEED(cover("/") == 0);
    NEED(is_covered("/a") && is_covered("/b"));
}

static void place_is_a_whole_path(void **state)
{
    (void)state;
    play(cover_below_the_place);
    play(cover_all);
}

/* With its parent it is out of reach already; its parent's name may begin another. */
static void cover_nested(void)
{
    unsigned long long id;

    NEED(mkdir(path_of("/share"), 0755) == 0);
    make_and_add("/share/a", "proc");
    make("/share/a/b");
    id = id_of(path_of("/share/a/b"));
    add(id, "/share/a/b", "sysfs");
    make_and_add("/share/ab", "proc");
    make_and_add("/share/kept", "tmpfs");
    make_and_add("/share/kept/proc", "proc");
    NEED(cover("/share") == 0);
    NEED(is_covered("/share/a") && is_covered("/share/ab"));
    NEED(!is_covered("/share/kept") && is_covered("/share/kept/proc"));
}

static void what_lies_below_a_cover_needs_none(void **state)
{
    (void)state;
    play(cover_nested);
}

static void cover_odd_names(void)
{
    NEED(mkdir(path_of("/share"), 0755) == 0);
    make("/share/a b");
    add(id_of(path_of("/share/a b")), "/share/a\\040b", "proc");
    make("/share/tab\tnew\nline\\");
    add(id_of(path_of("/share/tab\tnew\nline\\")), "/share/tab\\011new\\012line\\134", "proc");
    NEED(cover("/share") == 0);
    NEED(is_covered("/share/a b") && is_covered("/share/tab\tnew\nline\\"));
}

static void names_are_read_as_they_are_escaped(void **state)
{
    (void)state;
    play(cover_odd_names);
}

static void cover_file(void)
{
    const char *from = path_of("/file");
    struct stat st;
    int fd;

    NEED(mkdir(path_of("/share"), 0755) == 0);
    fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    NEED(fd >= 0 && write(fd, "secret", 6) == 6);
    (void)close(fd);
    fd = open(path_of("/share/status"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    (void)close(fd);
    NEED(mount(from, path_of("/share/status"), NULL, MS_BIND, NULL) == 0);
    add(id_of(path_of("/share/status")), "/share/status", "proc");
    NEED(cover("/share") == 0);
    NEED(stat(path_of("/share/status"), &st) == 0);
    NEED(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static void file_is_covered_by_the_null_device(void **state)
{
    (void)state;
    play(cover_file);
}

/* Somebody moved things: nothing can be said of what lies there. */
static void cover_moved(void)
{
    NEED(mkdir(path_of("/share"), 0755) == 0);
    make("/share/a");
    add(id_of(folder), "/share/a", "proc");
    make_and_add("/share/b", "proc");
    NEED(cover("/share") == -ESTALE);
    NEED(!is_covered("/share/a") && !is_covered("/share/b"));
}

static void cover_through_a_link(void)
{
    NEED(mkdir(path_of("/share"), 0755) == 0 && mkdir(path_of("/away"), 0755) == 0);
    make("/away/a");
    NEED(symlink("../away", path_of("/share/link")) == 0);
    add(id_of(path_of("/away/a")), "/share/link/a", "proc");
    NEED(cover("/share") == -ELOOP);
    NEED(!is_covered("/away/a"));
}

static void cover_what_is_gone(void)
{
    NEED(mkdir(path_of("/share"), 0755) == 0);
    add(1, "/share/gone", "proc");
    NEED(cover("/share") == -ENOENT);
}

static void what_is_not_as_it_is_listed_is_an_error(void **state)
{
    (void)state;
    play(cover_moved);
    play(cover_through_a_link);
    play(cover_what_is_gone);
}

static void cover_with_odd_lines(void)
{
    (void)snprintf(list, sizeof(list),
                   "\n"
                   "a line\n"
                   "1 25 0:22 / %s/share rw proc none rw\n"
                   "1 25 0:22 - proc none rw\n"
                   " - proc none rw\n"
                   "1 25 0:22 / %s/share rw - \n",
                   folder, folder);
    NEED(mkdir(path_of("/share"), 0755) == 0);
    make_and_add("/share/a", "proc");
    NEED(cover("/share") == 0);
    NEED(is_covered("/share/a"));
}

static void cover_nothing(void)
{
    NEED(cover("/share") == 0);
}

static void lines_that_are_none_are_skipped(void **state)
{
    (void)state;
    play(cover_with_odd_lines);
    play(cover_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_own_are_covered),
        cmocka_unit_test(place_is_a_whole_path),
        cmocka_unit_test(what_lies_below_a_cover_needs_none),
        cmocka_unit_test(names_are_read_as_they_are_escaped),
        cmocka_unit_test(file_is_covered_by_the_null_device),
        cmocka_unit_test(what_is_not_as_it_is_listed_is_an_error),
        cmocka_unit_test(lines_that_are_none_are_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
