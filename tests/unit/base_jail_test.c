/* jail: what a program inside of it can see and do. The program is a shell that starts no other. */
#include "base/child.h"
#include "base/jail.h"
#include "base/launch.h"
#include "base/sink.h"
#include "descriptors.h"
#include "device_support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS                                                                                      \
    "read write close open openat stat fstat newfstatat lstat access faccessat faccessat2 fcntl "  \
    "dup2 brk mmap munmap mprotect pread64 arch_prctl set_tid_address set_robust_list rseq "       \
    "prlimit64 getrlimit getrandom rt_sigaction rt_sigprocmask rt_sigreturn getpid getppid "       \
    "getuid geteuid getgid getegid getcwd chdir getdents64 exit_group kill clone wait4 umask"

/* Runs a script, or with NULL this program, in a jail that has the test's folder, until it ends.
 * @return what it said, of which the caller frees the sink */
static const char *run(struct devices *devices, struct jail jail, const char *script,
                       struct child_end *ret_end, struct sink **ret_sink)
{
    const char *const shell[] = {"/bin/sh", "-c", script, NULL};
    char self[PATH_MAX];
    const char *const own[] = {realpath("/proc/self/exe", self),
                               jail.network ? "sockets" : "memory", NULL};
    struct child_spec spec = {.argv = script ? shell : own, .fds = {-1, -1, -1, -1}, .jail = &jail};
    struct devices_told told = {0};
    struct child *child = NULL;
    int ends[2];

    if (!jail.folder)
        jail.folder = devices->directory;
    jail.place = "/in/side";
    jail.calls = jail.network ? NULL : CALLS;
    jail.memory = 64 << 20;
    jail.files = 20;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(sink_new(devices->event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, ret_sink),
                     0);
    spec.fds[1] = spec.fds[2] = ends[1];
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(ends[1]);
    devices_wait(devices, &told.ends, 1);
    sink_drain(*ret_sink);
    child_free(child);
    *ret_end = told.end;
    return sink_data(*ret_sink, NULL);
}

static void expect(struct devices *devices, struct jail jail, const char *script, int status,
                   const char *words)
{
    struct sink *sink = NULL;
    struct child_end end;
    const char *said = run(devices, jail, script, &end, &sink);

    if (!strstr(said, words) || !end.known || end.signaled || end.status != status)
        (void)fprintf(stderr, "status %d, said: %s\n", end.status, said);
    assert_true(end.known && !end.signaled);
    assert_int_equal(end.status, status);
    assert_non_null(strstr(said, words));
    sink_free(sink);
}

static void program_sees_its_folder_and_itself(void **state)
{
    struct devices *devices = *state;
    const struct jail jail = {0};
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/hello", devices->directory);
    (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    expect(devices, jail, "pwd; echo * $$; exit 7", 7, "/in/side\nhello 1\n");
    expect(devices, jail, "echo /in/* /dev/*; cd ..; echo *", 0, "/in/side /dev/null\nside\n");
    expect(devices, jail, "test -e /proc || test -e /etc || test -e /tmp || echo nothing", 0,
           "nothing\n");
    expect(devices, jail, ": >/in/new", 2, "Read-only file system");
    expect(devices, jail, ": >/bin/sh", 2, "Read-only file system");
    expect(devices, jail, "echo made >hello && echo done", 0, "done\n");
    expect(devices, jail, "read word <hello; echo $word", 0, "made\n");
}

static void folder_is_read_only_where_the_spec_says_so(void **state)
{
    const struct jail jail = {.read_only = true};

    expect(*state, jail, "echo word >made", 2, "Read-only file system");
}

static void no_process_is_started_and_no_limit_raised(void **state)
{
    const struct jail jail = {0};

    expect(*state, jail, "echo begun; (echo second)", 2, "begun\n/bin/sh: 1: Cannot fork\n");
    expect(*state, jail, "ulimit -n; ulimit -n 10 && ulimit -n", 0, "20\n20\n");
}

/* What the limit does not count. */
static int map_shared_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

static void memory_is_not_shared(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state;
    skip(); /* its own memory is */
#else
    const struct jail jail = {0};

    expect(*state, jail, NULL, 0, "");
#endif
}

/* @return 0; or which case is not as it should be */
static int open_sockets(void)
{
    static const struct {
        long family, protocol;
        bool opens;
    } cases[] = {
        {AF_INET, 0, true},
        {AF_NETLINK, NETLINK_ROUTE, true},
        {AF_NETLINK, NETLINK_AUDIT, false},
        {AF_NETLINK, 16, false},
        {AF_UNIX, 0, false},
        {AF_VSOCK, 0, false},
        {AF_PACKET, 0, false},
        {AF_ALG, 0, false},
        {AF_UNSPEC, 0, false},
        {AF_MAX, 0, false},
        {-1, 0, false},
        {0x100000000 + AF_UNIX, 0, false}, /* of which the kernel takes the half */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = (int)syscall(SYS_socket, cases[i].family,
                              (long)(cases[i].family == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM),
                              cases[i].protocol);

        if (cases[i].opens ? fd < 0 : errno != EAFNOSUPPORT || fd >= 0)
            return (int)i + 1;
        if (fd >= 0)
            (void)close(fd);
    }
    return syscall(SYS_io_uring_setup, 1L, NULL) == -1 && errno == ENOSYS ? 0 : 100;
}

static void program_with_the_hosts_network_has_the_internets_sockets_alone(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state;
    skip(); /* its own memory is too much for the jail */
#else
    const struct jail jail = {.network = true};

    expect(*state, jail, NULL, 0, "");
#endif
}

static void program_without_its_jail_does_not_start(void **state)
{
    struct devices *devices = *state;
    struct jail jail = {.folder = "/nonexistent/folder"};
    char pipe_path[256];

    expect(devices, jail, "echo begun", 126,
           "cannot set up the jail for /bin/sh: /nonexistent/folder: No such file or "
           "directory; not starting it\n");
    (void)snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", devices->directory);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    jail.folder = pipe_path; /* is not opened: nobody waits for a writer */
    expect(devices, jail, "echo begun", 126, "Not a directory");
}

static void mount_at(const struct devices *devices, const char *name, const char *type)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, name);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(mount("test", path, type, 0, NULL), 0);
}

static void unmount(const struct devices *devices, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, name);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void what_the_kernel_shows_of_itself_is_not_in_the_folder(void **state)
{
    struct devices *devices = *state;
    const struct jail jail = {0}, all = {.folder = "/", .read_only = true};

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip();                          /* not root */
    mount_at(devices, "a proc", "proc"); /* with a blank, which is escaped in the list */
    mount_at(devices, "sys", "sysfs");
    mount_at(devices, "kept", "tmpfs");
    mount_at(devices, "kept/proc", "proc");
    expect(devices, jail, "echo a*/* sys/* kept/*; echo kept/*/*", 0,
           "a*/* sys/* kept/proc\nkept/*/*\n");
    expect(devices, jail, ": >sys/made", 2, "Read-only file system");
    expect(devices, all, "echo proc/* sys/*; echo etc/pass*d", 0, "proc/* sys/*\netc/passwd\n");
    unmount(devices, "kept/proc");
    unmount(devices, "kept");
    unmount(devices, "sys");
    unmount(devices, "a proc");
}

static void killing_the_one_outside_ends_the_one_inside(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo begun; while :; do :; done", NULL};
    struct devices *devices = *state;
    const struct jail jail = {.folder = devices->directory,
                              .place = "/in",
                              .calls = CALLS,
                              .memory = 64 << 20,
                              .files = 20};
    struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, -1}, .jail = &jail};
    struct devices_told told = {0};
    struct child *child = NULL;
    char word[16];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    spec.fds[1] = ends[1];
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], word, sizeof(word)), 6);
    assert_int_equal(child_signal(child, SIGKILL, false), 0);
    assert_int_equal(read(ends[0], word, sizeof(word)), 0); /* the last one who could write */
    (void)close(ends[0]);
    devices_wait(devices, &told.ends, 1);
    assert_true(told.end.signaled);
    child_free(child);
}

static void numbers_travel_to_the_launcher(void **state)
{
    static const char *const wrong[] = {"",         "1 2 3",   "1 2 3 4 5", "x 1 1 1", "1  2 3 1",
                                        " 1 2 3 1", "1 2 3 8", "01 2 3 1",  "-1 2 3 1"};
    const struct jail jail = {.capabilities = 0xdb,
                              .memory = UINT64_MAX,
                              .files = 20,
                              .read_only = true,
                              .connected = true,
                              .network = true};
    struct jail back = {0};
    char text[LAUNCH_NUMBERS_SIZE];

    (void)state;
    launch_jail_pack(&jail, text);
    assert_string_equal(text, "db ffffffffffffffff 14 7");
    assert_int_equal(launch_jail_unpack(text, &back), 0);
    assert_int_equal(back.capabilities, 0xdb);
    assert_int_equal(back.memory, UINT64_MAX);
    assert_int_equal(back.files, 20);
    assert_true(back.read_only);
    assert_true(back.connected);
    assert_true(back.network);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(launch_jail_unpack(wrong[i], &back), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        TEST(program_sees_its_folder_and_itself),
        TEST(folder_is_read_only_where_the_spec_says_so),
        TEST(no_process_is_started_and_no_limit_raised),
        TEST(memory_is_not_shared),
        TEST(program_with_the_hosts_network_has_the_internets_sockets_alone),
        TEST(program_without_its_jail_does_not_start),
        TEST(what_the_kernel_shows_of_itself_is_not_in_the_folder),
        TEST(killing_the_one_outside_ends_the_one_inside),
        TEST(numbers_travel_to_the_launcher),
    };

    if (argc > 1)
        return strcmp(argv[1], "sockets") == 0 ? open_sockets() : map_shared_memory();
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
