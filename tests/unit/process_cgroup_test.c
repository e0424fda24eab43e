/* cgroup: the groups that are made, what is written into their files, and who is signaled. The
 * files are plain ones in a folder; the linker takes what would be this machine's. */
#include "descriptors.h"
#include "folder.h"
#include "init/base/limits.h"
#include "init/process/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define REACHED 77 /* a process group */

static char folder[FOLDER_BYTES];
static int tree = -1;

static struct {
    char done[4096];
    const char *fails; /* this call or file, */
    int error;         /* with this, */
    int times;         /* so often; 0: always */
    int tries;
    const char *lacks; /* a file that a new group has not */
    unsigned signals;
} played;

static void note(const char *what, const char *value)
{
    size_t used = strlen(played.done);

    (void)snprintf(played.done + used, sizeof(played.done) - used, "%s=%s ", what, value);
}

/* @return true and errno if it is to fail */
static bool fails(const char *what)
{
    if (!played.fails || strcmp(what, played.fails) != 0)
        return false;
    played.tries++;
    errno = played.error;
    return played.times == 0 || played.tries <= played.times;
}

int __wrap_fsopen(const char *type, unsigned flags);
int __wrap_fsopen(const char *type, unsigned flags)
{
    assert_int_equal(flags, FSOPEN_CLOEXEC);
    note("fsopen", type);
    return fails("fsopen") ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int extra);
int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int extra)
{
    assert_true(fd >= 0 && !value && extra == 0);
    assert_int_equal(command, key ? FSCONFIG_SET_FLAG : FSCONFIG_CMD_CREATE);
    note("fsconfig", key ? key : "create");
    return fails(key ? key : "create") ? -1 : 0;
}

int __wrap_fsmount(int fd, unsigned flags, unsigned attributes);
int __wrap_fsmount(int fd, unsigned flags, unsigned attributes)
{
    assert_true(fd >= 0);
    assert_int_equal(flags, FSMOUNT_CLOEXEC);
    assert_int_equal(attributes, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return fails("fsmount") ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Where a descriptor leads, below the test's folder. */
static void name_of(int fd, char name[PATH_MAX])
{
    char link[64], path[PATH_MAX];
    ssize_t size;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path) - 1);
    assert_true(size > 0);
    path[size] = '\0';
    (void)snprintf(name, PATH_MAX, "%s",
                   strncmp(path, folder, strlen(folder)) == 0 ? path + strlen(folder) + 1 : path);
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    char name[PATH_MAX], text[64];

    name_of(fd, name);
    (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)bytes);
    note(name, text);
    return fails(name) ? -1 : (ssize_t)size;
}

static void make_file(int directory, const char *name, const char *text)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(__real_write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* A new group has its files at once. */
int __real_mkdirat(int directory, const char *name, mode_t mode);
int __wrap_mkdirat(int directory, const char *name, mode_t mode);
int __wrap_mkdirat(int directory, const char *name, mode_t mode)
{
    static const char *const files[] = {"memory.max", "pids.max", "cgroup.procs",
                                        "cgroup.subtree_control"};

    assert_int_equal(mode, 0755);
    if (fails("mkdir"))
        return -1;
    if (__real_mkdirat(directory, name, mode) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/%s", name, files[i]);
        if (!played.lacks || strcmp(played.lacks, files[i]) != 0)
            make_file(directory, path, "");
    }
    return 0;
}

pid_t __wrap_getpgid(pid_t pid);
pid_t __wrap_getpgid(pid_t pid)
{
    return pid == 300 ? REACHED : pid;
}

int __wrap_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%d", signal);
    if (played.signals++ < 20) {
        char process[32];

        (void)snprintf(process, sizeof(process), "%d", (int)pid);
        note(process, text);
    }
    return 0;
}

static int begin(void **state)
{
    int fd;

    (void)state;
    memset(&played, 0, sizeof(played));
    folder_make(folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tree = fcntl(fd, F_DUPFD_CLOEXEC, 10); /* 0 is for what is tested */
    (void)close(fd);
    make_file(tree, "cgroup.subtree_control", "");
    return tree < 0;
}

static int finish(void **state)
{
    (void)state;
    (void)close(tree);
    folder_remove(folder);
    return 0;
}

#define MADE "fsopen=cgroup2 fsconfig=nsdelegate fsconfig=memory_recursiveprot fsconfig=create "
#define GIVEN                                                                                      \
    "cgroup.subtree_control=+memory guestlink/cgroup.subtree_control=+memory "                     \
    "cgroup.subtree_control=+pids guestlink/cgroup.subtree_control=+pids "

static void expect_tree(void)
{
    char name[PATH_MAX];
    int fd = cgroup_open();

    assert_true(fd >= 0);
    name_of(fd, name);
    assert_string_equal(name, "guestlink");
    (void)close(fd);
    assert_string_equal(played.done, MADE GIVEN);
    played.done[0] = '\0';
}

static void tree_is_opened_and_has_its_controllers(void **state)
{
    (void)state;
    expect_tree();
    expect_tree(); /* it is there already */
}

static void what_the_kernel_does_not_know_is_left_out(void **state)
{
    static const char *const options[] = {"nsdelegate", "memory_recursiveprot",
                                          "cgroup.subtree_control",
                                          "guestlink/cgroup.subtree_control"};

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        played.fails = options[i];
        played.error = EINVAL;
        expect_tree();
    }
}

static void tree_that_cannot_be_opened_says_why(void **state)
{
    static const char *const calls[] = {"fsopen", "create", "fsmount", "mkdir"};

    (void)state;
    played.error = EPERM;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        played.fails = calls[i];
        assert_int_equal(cgroup_open(), -EPERM);
    }
    played.fails = NULL;
    make_file(tree, "guestlink", "");
    assert_int_equal(cgroup_open(), -ENOTDIR);
}

static const char *where;

static int enter(uint64_t memory_max, uint32_t pids_max)
{
    where = NULL;
    return cgroup_enter(tree, "payload", memory_max, pids_max, &where);
}

static void group_is_made_bounded_and_entered(void **state)
{
    (void)state;
    assert_int_equal(enter(1048576, 10), 0);
    assert_string_equal(played.done, "payload/memory.max=1048576 payload/pids.max=10 "
                                     "payload/cgroup.procs=0 ");
    played.done[0] = '\0';
    assert_int_equal(enter(0, 0), 0); /* an old one's bounds are lifted */
    assert_string_equal(played.done, "payload/memory.max=max payload/pids.max=max "
                                     "payload/cgroup.procs=0 ");
}

static void bound_that_the_kernel_has_not_is_an_error(void **state)
{
    static const struct {
        const char *file, *where;
    } rows[] = {{"memory.max", "memory_max (cgroup2)"}, {"pids.max", "pids_max (cgroup2)"}};

    for (size_t i = 0; i < 2; i++) {
        played.lacks = rows[i].file;
        assert_int_equal(enter(i == 0, i == 1), -EOPNOTSUPP);
        assert_string_equal(where, rows[i].where);
        assert_null(strstr(played.done, "cgroup.procs"));
        assert_int_equal(enter(i == 1, i == 0), 0); /* none is wanted */
        finish(state);
        begin(state);
    }
}

static void group_that_cannot_be_entered_says_where(void **state)
{
    static const struct {
        const char *what, *where;
    } rows[] = {{"mkdir", "cgroup"},
                {"payload/memory.max", "memory_max (cgroup2)"},
                {"payload/pids.max", "pids_max (cgroup2)"},
                {"payload/cgroup.procs", "cgroup"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        played.fails = rows[i].what;
        played.error = EBUSY;
        assert_int_equal(enter(1, 1), -EBUSY);
        assert_string_equal(where, rows[i].where);
        assert_int_equal(played.tries, 1);
        finish(state);
        begin(state);
    }
    make_file(tree, "payload", "");
    assert_int_equal(enter(1, 1), -ENOTDIR);
    assert_string_equal(where, "cgroup");
}

/* Somebody may remove it before it is entered. */
static void group_that_is_removed_is_made_again(void **state)
{
    static const int errors[] = {ENOENT, ENODEV};

    for (size_t i = 0; i < 2; i++) {
        played.fails = "payload/cgroup.procs";
        played.error = errors[i];
        played.times = 15;
        assert_int_equal(enter(0, 0), 0);
        assert_int_equal(played.tries, 16);
        played.tries = 0;
        played.times = 0;
        assert_int_equal(enter(0, 0), -errors[i]);
        assert_int_equal(played.tries, 16);
        finish(state);
        begin(state);
    }
}

static void empty_groups_of_commands_are_removed(void **state)
{
    static const char *const names[] = {"exec-1", "exec-2", "exec", "other"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(__real_mkdirat(tree, names[i], 0755), 0);
    assert_int_equal(enter(0, 0), 0);
    assert_int_equal(faccessat(tree, "exec-1", F_OK, 0), -1);
    assert_int_equal(faccessat(tree, "exec-2", F_OK, 0), -1);
    assert_int_equal(faccessat(tree, "exec", F_OK, 0), 0);
    assert_int_equal(faccessat(tree, "other", F_OK, 0), 0);
    cgroup_remove(tree, "other");
    assert_int_equal(faccessat(tree, "other", F_OK, 0), -1);
}

/* Not to PID 1, not to us, and not to whom its process group's signal reaches. */
static void all_of_a_group_are_signaled(void **state)
{
    char text[64];

    (void)state;
    (void)__real_mkdirat(tree, "group", 0755);
    (void)snprintf(text, sizeof(text), "2\n0\n1\n%d\n300\n4194304\n", (int)getpid());
    make_file(tree, "group/cgroup.procs", text);
    cgroup_signal(tree, "group", REACHED, SIGTERM);
    assert_string_equal(played.done, "2=15 4194304=15 ");
    cgroup_signal(tree, "group", -1, SIGHUP);
    assert_string_equal(played.done, "2=15 4194304=15 2=1 300=1 4194304=1 ");
    cgroup_signal(tree, "nothing", -1, SIGHUP);
    assert_int_equal(played.signals, 5);
}

/* However many forked meanwhile. */
static void so_many_are_signaled_and_no_more(void **state)
{
    static const char line[] = {'1', '0', '0', '0', '0', '0', '0', '\n'};
    static char text[INIT_SIGNALED_BYTES + 8192];
    const size_t size = sizeof(line);

    (void)state;
    for (size_t i = 0; i + size < sizeof(text); i += size)
        memcpy(text + i, line, size);
    (void)__real_mkdirat(tree, "group", 0755);
    make_file(tree, "group/cgroup.procs", text);
    cgroup_signal(tree, "group", -1, SIGTERM);
    assert_int_equal(played.signals, INIT_SIGNALED_BYTES / size);
    assert_non_null(strstr(played.done, "1000000=15 "));
}

static void lines_are_read_across_reads(void **state)
{
    static char text[8192];
    size_t used = 0;
    unsigned lines = 0;

    (void)state;
    for (; used < 5000; lines++)
        used += (size_t)sprintf(text + used, "1234567890\n");
    (void)__real_mkdirat(tree, "group", 0755);
    make_file(tree, "group/cgroup.procs", text);
    cgroup_signal(tree, "group", -1, SIGTERM);
    assert_int_equal(played.signals, lines);
}

static void group_is_killed_by_the_kernel(void **state)
{
    (void)state;
    (void)__real_mkdirat(tree, "group", 0755);
    make_file(tree, "group/cgroup.procs", "2\n");
    make_file(tree, "group/cgroup.kill", "");
    assert_int_equal(cgroup_kill(tree, "group"), 0);
    assert_string_equal(played.done, "group/cgroup.kill=1 ");
    played.fails = "group/cgroup.kill";
    played.error = EOPNOTSUPP;
    assert_int_equal(cgroup_kill(tree, "group"), -EOPNOTSUPP);
    assert_int_equal(played.signals, 0);
}

/* Again and again: who forks may get away once. */
static void old_kernel_is_sent_signals(void **state)
{
    (void)state;
    (void)__real_mkdirat(tree, "group", 0755);
    make_file(tree, "group/cgroup.procs", "2\n300\n");
    assert_int_equal(cgroup_kill(tree, "group"), 0);
    assert_int_equal(strncmp(played.done, "2=9 300=9 2=9 ", 14), 0);
    assert_int_equal(played.signals, 2 * 16);
    assert_int_equal(cgroup_kill(tree, "nothing"), 0);
}

int main(void)
{
#define PLAYED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLAYED(tree_is_opened_and_has_its_controllers),
        PLAYED(what_the_kernel_does_not_know_is_left_out),
        PLAYED(tree_that_cannot_be_opened_says_why),
        PLAYED(group_is_made_bounded_and_entered),
        PLAYED(bound_that_the_kernel_has_not_is_an_error),
        PLAYED(group_that_cannot_be_entered_says_where),
        PLAYED(group_that_is_removed_is_made_again),
        PLAYED(empty_groups_of_commands_are_removed),
        PLAYED(all_of_a_group_are_signaled),
        PLAYED(so_many_are_signaled_and_no_more),
        PLAYED(lines_are_read_across_reads),
        PLAYED(group_is_killed_by_the_kernel),
        PLAYED(old_kernel_is_sent_signals),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
