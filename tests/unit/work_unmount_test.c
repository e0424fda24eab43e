/* unmount: every filesystem is put away, in which order, by which means, and what a hanging one
 * costs. The mounts and the children are real (place.h). The time passes once all children hang,
 * and the linker takes what a test must not do to this machine or cannot bring about. */
#include "descriptors.h"
#include "init/base/limits.h"
#include "init/base/mountinfo.h"
#include "init/work/unmount.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

#include <cmocka.h>

#define MANY 70 /* more than the table has at first */

static atomic_int *hanging; /* shared with the children */
static int done_fd = -1;    /* what was done, and */
static int log_fd = -1;     /* what was logged, by children as well */

static struct {
    uint64_t now_ns;
    pid_t children[256];
    int started, running;
    bool no_child;
    const char *hangs, *dies, *stays; /* beginnings of targets: what unmounting them does */
    const char *slow;                 /* which takes its time, all of this machine's */
    const char *target, *type;        /* mounts, by their beginning, whose type is another */
    int freeze_error;
    const char *swaps;
    int swap_error, sysrq_error;
    int writer;         /* keeps a mount from being read-only; closed by */
    bool swap_ends_it;  /* the end of swapping, or */
    const char *forced; /* the kernel makes this read-only */
} played;

static void note(const char *what, const char *on)
{
    (void)dprintf(done_fd, "%s:%s ", what, on);
}

static bool begins(const char *target, const char *with)
{
    return with && strncmp(target, with, strlen(with)) == 0;
}

static void release_writer(void)
{
    if (played.writer >= 0)
        (void)close(played.writer);
    played.writer = -1;
}

int __real_umount2(const char *name, int flags);
int __wrap_umount2(const char *name, int flags);
int __wrap_umount2(const char *name, int flags)
{
    char path[PATH_MAX] = "", what[64];

    if (name[0] == '/') /* place_clear()'s */
        return __real_umount2(name, flags);
    (void)snprintf(what, sizeof(what), "umount%s%s%s", flags & UMOUNT_NOFOLLOW ? "" : "+follow",
                   flags & MNT_FORCE ? "+force" : "", flags & MNT_DETACH ? "+detach" : "");
    if (!getcwd(path, sizeof(path)))
        return -1;
    (void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%s",
                   strcmp(path, "/") == 0 ? "" : "/", name);
    note(what, path);
    if (begins(path, played.hangs)) {
        (void)atomic_fetch_add(hanging, 1);
        for (;;)
            (void)pause();
    }
    if (begins(path, played.slow))
        (void)usleep(100000);
    if (begins(path, played.dies))
        (void)kill(getpid(), SIGKILL);
    errno = EBUSY;
    return begins(path, played.stays) ? -1 : __real_umount2(name, flags);
}

int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    if (flags == (MS_REMOUNT | MS_RDONLY))
        note("ro", target);
    return __real_mount(source, target, type, flags, data);
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    char link[64], path[PATH_MAX];
    ssize_t size;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    note(request == FIFREEZE ? "freeze" : "ioctl", path);
    errno = played.freeze_error;
    return played.freeze_error ? -1 : 0;
}

int __wrap_swapoff(const char *path);
int __wrap_swapoff(const char *path)
{
    note("swapoff", path);
    if (played.swap_ends_it)
        release_writer();
    errno = played.swap_error;
    return played.swap_error ? -1 : 0;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (strcmp(path, "/proc/swaps") != 0)
        return __real_fopen(path, mode);
    return played.swaps ? fmemopen((void *)(uintptr_t)played.swaps, strlen(played.swaps), "r")
                        : NULL;
}

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    note(path, text);
    if (played.forced) /* it does not heed those who write */
        release_writer();
    if (played.forced)
        assert_int_equal(
            __real_mount(NULL, played.forced, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    return played.sysrq_error;
}

struct walk {
    bool (*each)(const struct mountinfo *mount, void *context);
    void *context;
};

static bool show(const struct mountinfo *mount, void *context)
{
    const struct walk *walk = context;
    struct mountinfo shown = *mount;

    if (begins(mount->target, played.target))
        (void)snprintf(shown.type, sizeof(shown.type), "%s", played.type);
    return walk->each(&shown, walk->context);
}

int __real_mountinfo_walk(bool (*each)(const struct mountinfo *mount, void *context),
                          void *context);
int __wrap_mountinfo_walk(bool (*each)(const struct mountinfo *mount, void *context),
                          void *context);
int __wrap_mountinfo_walk(bool (*each)(const struct mountinfo *mount, void *context), void *context)
{
    return __real_mountinfo_walk(show, &(struct walk){.each = each, .context = context});
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    pid_t child = played.no_child ? -1 : __real_fork();

    if (child > 0) {
        played.children[played.started++] = child;
        played.running++;
    }
    return child;
}

pid_t __real_waitpid(pid_t pid, int *status, int flags);
pid_t __wrap_waitpid(pid_t pid, int *status, int flags);
pid_t __wrap_waitpid(pid_t pid, int *status, int flags)
{
    pid_t child = __real_waitpid(pid, status, flags);

    played.running -= child > 0;
    return child;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    ret->tv_sec = (time_t)(played.now_ns / 1000000000);
    ret->tv_nsec = (long)(played.now_ns % 1000000000);
    return 0;
}

/* However slow this machine is: a child that does not hang is waited for. */
int __real_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    siginfo_t ended = {0};
    sigset_t blocked;

    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    assert_true(sigismember(&blocked, SIGCHLD));
    assert_true(sigismember(set, SIGCHLD));
    assert_true(timeout->tv_sec > 0 || timeout->tv_nsec > 0);
    for (;;) {
        (void)__real_sigtimedwait(set, info, &moment); /* it may be that of one reaped before */
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
            return SIGCHLD;
        if (played.running == atomic_load(hanging))
            break;
    }
    played.now_ns += (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec;
    errno = EAGAIN;
    return -1;
}

__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...);
__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...)
{
    va_list arguments;

    (void)dprintf(log_fd, "%d ", level);
    va_start(arguments, format);
    (void)vdprintf(log_fd, format, arguments);
    va_end(arguments);
    (void)dprintf(log_fd, "\n");
}

static void expect_of(int fd, const char *expected)
{
    char found[16384];
    ssize_t n = pread(fd, found, sizeof(found) - 1, 0);

    assert_true(n >= 0);
    found[n] = '\0';
    assert_string_equal(found, expected);
}

static int begin(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    played.writer = -1;
    played.now_ns = 5000000000;
    played.freeze_error = EOPNOTSUPP;
    done_fd = memfd_create("done", MFD_CLOEXEC);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    atomic_store(hanging, 0);
    return done_fd < 0 || log_fd < 0;
}

static int finish(void **state)
{
    (void)state;
    release_writer();
    for (int i = 0; i < played.started; i++) {
        (void)kill(played.children[i], SIGKILL);
        (void)__real_waitpid(played.children[i], NULL, 0);
    }
    place_clear();
    (void)close(done_fd);
    (void)close(log_fd);
    return 0;
}

static bool is_mounted(const char *target)
{
    struct mountinfo found;

    return mountinfo_find(target, &found) > 0;
}

/* @return the milliseconds that passed */
static unsigned run(int error, const char *done, const char *log)
{
    uint64_t before = played.now_ns;
    struct report report = {0};

    unmount_all(NULL, &report);
    if (done)
        expect_of(done_fd, done);
    expect_of(log_fd, log);
    assert_int_equal(report.error, error);
    return (unsigned)((played.now_ns - before) / 1000000);
}

/* Somebody has a directory of a mount open. */
static int occupy(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

/* Somebody writes to a file of it. */
static void write_to(const char *path)
{
    char file[64];

    (void)snprintf(file, sizeof(file), "%s/file", path);
    played.writer = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(played.writer >= 0);
}

static void newest_go_first_and_the_root_becomes_read_only(void **state)
{
    struct mountinfo found;

    (void)state;
    place_tmpfs("/a");
    place_tmpfs("/a/b");
    place_tmpfs("/c");
    place_tmpfs("/c");
    assert_int_equal(run(0, "umount:/c umount:/c umount:/a/b umount:/a ro:/ ro:/ ", ""), 0);
    assert_false(is_mounted("/a") || is_mounted("/a/b") || is_mounted("/c"));
    assert_int_equal(mountinfo_find("/", &found), 1);
    assert_true(found.read_only);
    assert_true(is_mounted("/proc"));
}

static void as_many_as_there_are(void **state)
{
    char path[16];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), "/%d", i);
        place_tmpfs(path);
    }
    assert_int_equal(run(0, NULL, ""), 0);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), "/%d", i);
        assert_false(is_mounted(path));
    }
}

/* The kernel shows a mount below another one's, which is unmounted in the next walk. */
static void what_a_walk_could_not_unmount_is_tried_again(void **state)
{
    (void)state;
    place_tmpfs("/a");
    place_tmpfs("/b");
    place_folder("/b/c");
    assert_int_equal(mount("/b", "/a", NULL, MS_MOVE, NULL), 0); /* older, and in the way */
    assert_int_equal(run(0, "umount:/a umount:/a ro:/ ro:/ ", ""), 0);
    assert_false(is_mounted("/a"));
}

static void without_a_child_the_caller_does_it(void **state)
{
    char path[64];

    (void)state;
    place_tmpfs("/a");
    place_tmpfs("/a/b");
    played.no_child = true;
    assert_int_equal(run(0, "umount:/a/b umount:/a ro:/ ro:/ ", ""), 0);
    assert_false(is_mounted("/a"));
    assert_string_equal(getcwd(path, sizeof(path)), "/");
    assert_int_equal(played.running, 0);
}

static void kernels_own_filesystems_stay(void **state)
{
    static const char *const types[] = {"proc",    "sysfs",  "devtmpfs",   "devpts", "cgroup2",
                                        "debugfs", "rootfs", "securityfs", "tracefs"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        place_tmpfs("/kernel");
        played.target = "/kernel";
        played.type = types[i];
        assert_int_equal(run(0, "ro:/ ", ""), 0);
        assert_true(is_mounted("/kernel"));
        finish(state);
        begin(state);
    }
}

/* They come last, and whoever is in one is no reason to keep it. */
static void shares_are_detached_by_force(void **state)
{
    static const char *const types[] = {"virtiofs", "9p",   "nfs",  "nfs4",       "cifs",
                                        "smb3",     "ceph", "fuse", "fuse.sshfs", "fuseblk"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int user;

        place_tmpfs("/a");
        place_tmpfs("/share");
        user = occupy("/share");
        played.target = "/share";
        played.type = types[i];
        assert_int_equal(
            run(1, "umount:/a ro:/ ro:/ umount:/share umount+force+detach:/share ",
                "4 cannot unmount share /share: Device or resource busy; detaching it by force\n"),
            0);
        assert_false(is_mounted("/share"));
        (void)close(user);
        finish(state);
        begin(state);
    }
}

static void shares_that_nobody_uses_are_unmounted(void **state)
{
    (void)state;
    place_tmpfs("/share");
    played.target = "/share";
    played.type = "virtiofs";
    assert_int_equal(run(0, "ro:/ umount:/share ", ""), 0);
    assert_false(is_mounted("/share"));
}

static void share_that_cannot_be_detached_is_left(void **state)
{
    (void)state;
    place_tmpfs("/share");
    played.stays = played.target = "/share";
    played.type = "9p";
    assert_int_equal(
        run(1, "ro:/ umount:/share umount+force+detach:/share ",
            "4 cannot unmount share /share: Device or resource busy; detaching it by force\n"
            "4 cannot unmount /share: busy; leaving it\n"),
        0);
}

/* They are tried side by side, and what hangs is left. */
static void share_that_hangs_has_its_time(void **state)
{
    (void)state;
    place_tmpfs("/share");
    played.hangs = played.target = "/share";
    played.type = "virtiofs";
    assert_int_equal(
        run(1, "ro:/ umount:/share ", "4 cannot unmount /share: no answer; leaving it\n"),
        INIT_UNMOUNT_SHARES_MS);
}

static void a_share_waits_for_those_in_it(void **state)
{
    (void)state;
    place_tmpfs("/share");
    place_tmpfs("/share/in");
    played.slow = "/share/in";
    played.target = "/share";
    played.type = "virtiofs";
    assert_int_equal(run(0, "ro:/ umount:/share/in umount:/share ", ""), 0);
    assert_false(is_mounted("/share"));
}

/* And no longer: others have to go, too. */
static void a_share_that_hangs_costs_the_one_around_it_a_moment(void **state)
{
    (void)state;
    place_tmpfs("/share");
    place_tmpfs("/share/in");
    played.hangs = "/share/in";
    played.target = "/share";
    played.type = "virtiofs";
    assert_int_equal(
        run(2, "ro:/ umount:/share/in umount:/share umount+force+detach:/share ",
            "4 cannot unmount share /share: Device or resource busy; detaching it by force\n"
            "4 cannot unmount /share/in: no answer; leaving it\n"),
        INIT_UNMOUNT_SHARES_MS);
    assert_false(is_mounted("/share"));
}

static void what_is_in_use_becomes_read_only(void **state)
{
    struct mountinfo found;
    int user;

    (void)state;
    place_tmpfs("/used");
    user = occupy("/used");
    assert_int_equal(run(0, "umount:/used ro:/used ro:/ ", ""), 0);
    assert_int_equal(mountinfo_find("/used", &found), 1);
    assert_true(found.read_only);
    (void)close(user);
}

#define FIRST      "umount:/used ro:/used ro:/ "
#define FROZEN     FIRST FIRST_LAST
#define FIRST_LAST "umount:/used ro:/used freeze:/used ro:/ "
#define FREEZING                                                                                   \
    "4 cannot unmount /used: Device or resource busy; cannot make it read-only: Device or "        \
    "resource busy; freezing it\n"
#define FORCING "4 1 filesystems are busy or do not answer; making all read-only by force\n"
#define LEAVING "4 cannot unmount /used: busy; leaving it\n"
#define SYSRQ   "/proc/sysrq-trigger:u "

/* @param error  of the freezing; EBUSY: it is frozen already */
static void freeze_with(void **state, int error)
{
    place_tmpfs("/used");
    write_to("/used");
    played.freeze_error = error;
    assert_int_equal(run(0, FROZEN, FREEZING), 0);
    finish(state);
    begin(state);
}

static void what_is_written_to_is_frozen(void **state)
{
    freeze_with(state, 0);
    freeze_with(state, EBUSY);
}

static void what_is_not_swapped_to_any_more_is_unmounted(void **state)
{
    (void)state;
    place_tmpfs("/used");
    write_to("/used");
    played.swaps = "Filename Type Size Used Priority\n/used/a\\040file file 1 0 -2\n"
                   "/dev/vdb partition 1 0 -3\n";
    played.swap_ends_it = true;
    assert_int_equal(
        run(0, FIRST "swapoff:/used/a file swapoff:/dev/vdb umount:/used ro:/ ro:/ ", ""), 0);
    assert_false(is_mounted("/used"));
}

static void swap_that_stays_is_told(void **state)
{
    (void)state;
    place_tmpfs("/used");
    write_to("/used");
    played.swaps = "/dev/vdb partition 1 0 -3\n";
    played.swap_error = ENOMEM;
    played.freeze_error = 0;
    assert_int_equal(run(0, FIRST "swapoff:/dev/vdb " FIRST_LAST,
                         "4 cannot stop swapping to /dev/vdb: Cannot allocate memory\n" FREEZING),
                     0);
}

static void kernel_makes_the_rest_read_only(void **state)
{
    (void)state;
    place_tmpfs("/used");
    write_to("/used");
    played.forced = "/used";
    assert_int_equal(run(0, FROZEN SYSRQ, FREEZING FORCING), INIT_UNMOUNT_LOOK_MS);
}

static void what_stays_writable_is_counted(void **state)
{
    (void)state;
    place_tmpfs("/used");
    write_to("/used");
    assert_int_equal(run(1, FROZEN SYSRQ, FREEZING FORCING LEAVING), INIT_UNMOUNT_OWN_MS);
}

static void without_that_way_nothing_waits_for_it(void **state)
{
    (void)state;
    place_tmpfs("/used");
    write_to("/used");
    played.sysrq_error = -EACCES;
    assert_int_equal(run(1, FROZEN SYSRQ, FREEZING FORCING LEAVING), 0);
}

static void child_that_is_killed_has_unmounted_nothing(void **state)
{
    (void)state;
    place_tmpfs("/used");
    played.dies = "/used";
    played.sysrq_error = -EACCES;
    assert_int_equal(run(1, "umount:/used ro:/ umount:/used ro:/ " SYSRQ, FORCING LEAVING), 0);
}

/* It costs its time once, and the others are put away. */
static void what_hangs_costs_a_moment(void **state)
{
    (void)state;
    place_tmpfs("/a");
    place_tmpfs("/hangs");
    played.hangs = played.forced = "/hangs";
    assert_int_equal(run(0, "umount:/hangs umount:/a ro:/ ro:/ ro:/ " SYSRQ, FORCING),
                     INIT_UNMOUNT_ONE_MS + INIT_UNMOUNT_LOOK_MS);
    assert_false(is_mounted("/a"));
}

static void what_hangs_on_is_told(void **state)
{
    (void)state;
    place_tmpfs("/share");
    place_tmpfs("/hangs");
    played.hangs = "/hangs";
    played.target = "/share";
    played.type = "virtiofs";
    assert_int_equal(run(1, "umount:/hangs ro:/ ro:/ " SYSRQ "umount:/share ",
                         FORCING "4 cannot unmount /hangs: no answer; leaving it\n"),
                     INIT_UNMOUNT_OWN_MS);
    assert_false(is_mounted("/share"));
}

static void all_together_have_their_time(void **state)
{
    const int begun = INIT_UNMOUNT_OWN_MS / INIT_UNMOUNT_ONE_MS;
    char path[16], log[8192] = "";

    (void)state;
    for (int i = 0; i <= begun; i++) {
        (void)snprintf(path, sizeof(path), "/hang%02d", i);
        place_tmpfs(path);
    }
    played.hangs = "/hang";
    (void)snprintf(log, sizeof(log),
                   "4 %d filesystems are busy or do not answer; making all read-only by force\n",
                   begun + 2);
    for (int i = begun; i > 0; i--)
        (void)snprintf(path, sizeof(path), "/hang%02d", i);
    for (int i = 1; i <= begun; i++)
        (void)snprintf(log + strlen(log), sizeof(log) - strlen(log),
                       "4 cannot unmount /hang%02d: no answer; leaving it\n", i);
    (void)snprintf(log + strlen(log), sizeof(log) - strlen(log),
                   "4 cannot unmount /: busy; leaving it\n"
                   "4 cannot unmount /hang00: busy; leaving it\n");
    assert_int_equal(run(begun + 2, NULL, log), INIT_UNMOUNT_OWN_MS);
}

static int all_tests(void)
{
#define PLAYED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLAYED(newest_go_first_and_the_root_becomes_read_only),
        PLAYED(as_many_as_there_are),
        PLAYED(what_a_walk_could_not_unmount_is_tried_again),
        PLAYED(without_a_child_the_caller_does_it),
        PLAYED(kernels_own_filesystems_stay),
        PLAYED(shares_are_detached_by_force),
        PLAYED(shares_that_nobody_uses_are_unmounted),
        PLAYED(share_that_cannot_be_detached_is_left),
        PLAYED(share_that_hangs_has_its_time),
        PLAYED(a_share_waits_for_those_in_it),
        PLAYED(a_share_that_hangs_costs_the_one_around_it_a_moment),
        PLAYED(what_is_in_use_becomes_read_only),
        PLAYED(what_is_written_to_is_frozen),
        PLAYED(what_is_not_swapped_to_any_more_is_unmounted),
        PLAYED(swap_that_stays_is_told),
        PLAYED(kernel_makes_the_rest_read_only),
        PLAYED(what_stays_writable_is_counted),
        PLAYED(without_that_way_nothing_waits_for_it),
        PLAYED(child_that_is_killed_has_unmounted_nothing),
        PLAYED(what_hangs_costs_a_moment),
        PLAYED(what_hangs_on_is_told),
        PLAYED(all_together_have_their_time),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    hanging =
        mmap(NULL, sizeof(*hanging), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hanging == MAP_FAILED)
        return 1;
    place_run(all_tests);
}
