/*
 * jail rights: what a program in a jail may do, what it finds there, and when it is ended. The
 * program is this one, or a shell. Some of it is done a second time without capabilities, when
 * the jail has its own user namespace.
 */
#include "base/child.h"
#include "base/child_exec.h"
#include "base/jail.h"
#include "base/sink.h"
#include "descriptors.h"
#include "device_support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CALLS                                                                                      \
    "read write close open openat stat fstat newfstatat lstat access faccessat faccessat2 fcntl "  \
    "dup2 brk mmap munmap mprotect pread64 arch_prctl set_tid_address set_robust_list rseq "       \
    "prlimit64 getrlimit getrandom rt_sigaction rt_sigprocmask rt_sigreturn getpid getppid "       \
    "getuid geteuid getgid getegid getcwd chdir getdents64 exit_group wait4 poll capget setgroups" \
    " setrlimit prctl mknod mknodat readlink futex"

#define MEMORY   (UINT64_C(256) << 20)
#define STACK    (UINT64_C(1) << 20)
#define FEW      30u /* files that the test itself may have open when it has no capabilities */
#define PATIENCE 50  /* in JAIL_LINGER_MS' place */

/* The jail has its own user namespace. */
static bool own_users;

int __real_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout)
{
    return __real_poll(pollers, count, timeout == JAIL_LINGER_MS ? PATIENCE : timeout);
}

/* ---- the program in the jail, which prints what it may do */

static void print_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    unsigned long long bounding = 0;

    if (syscall(SYS_capget, &header, data) < 0)
        exit(EXIT_FAILURE);
    for (unsigned long i = 0; i < 64; i++)
        bounding |= prctl(PR_CAPBSET_READ, i) == 1 ? 1ULL << i : 0;
    (void)printf("effective %x%08x permitted %x%08x inheritable %x%x bounding %llx privileges %d\n",
                 data[1].effective, data[0].effective, data[1].permitted, data[0].permitted,
                 data[1].inheritable, data[0].inheritable, bounding,
                 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void print_limit(const char *name, __rlimit_resource_t resource)
{
    struct rlimit limit;

    if (prlimit(0, resource, NULL, &limit) < 0)
        exit(EXIT_FAILURE);
    (void)printf("%s %llu %llu ", name, (unsigned long long)limit.rlim_cur,
                 (unsigned long long)limit.rlim_max);
}

static void print_limits(void)
{
    print_limit("core", RLIMIT_CORE);
    print_limit("stack", RLIMIT_STACK);
    print_limit("data", RLIMIT_DATA);
    print_limit("files", RLIMIT_NOFILE);
    (void)printf("end\n");
}

static const char *answer(long result)
{
    return result == 0 ? "0" : strerrorname_np(errno);
}

/* A program that sets its own limit is told that this worked. */
static void print_answers(void)
{
    const struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};

    (void)printf("setgroups %s ", answer(syscall(SYS_setgroups, 0L, NULL)));
    (void)printf("uname %s ", answer(syscall(SYS_uname, (char[1024]){""})));
    (void)printf("setrlimit %s ", answer(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit)));
    (void)printf("prlimit %s ", answer(syscall(SYS_prlimit64, 0L, RLIMIT_NOFILE, &limit, NULL)));
    print_limit("files", RLIMIT_NOFILE);
    (void)printf("its own %s ",
                 answer(syscall(SYS_prlimit64, (long)getpid(), (long)RLIMIT_NOFILE, &limit, NULL)));
    print_limit("files", RLIMIT_NOFILE);
    (void)printf("end\n");
}

/* What would wake it after a SIGSTOP; of bits that the kernel does not look at, too. */
static void print_wakers(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    int ends[2];
    int timer;

    if (syscall(SYS_pipe2, ends, O_CLOEXEC) < 0)
        exit(EXIT_FAILURE);
    (void)printf("timer %s ", answer(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer)));
    (void)printf("queue %s ", answer(syscall(SYS_mq_notify, -1, &event)));
    for (int i = 0; i < 3; i++)
        (void)printf("descriptor %s ",
                     answer(syscall(SYS_fcntl, ends[0], F_SETSIG | (i == 1 ? 1L << 32 : 0),
                                    i < 2 ? SIGCONT : SIGKILL)));
    (void)printf("owner %s ", answer(syscall(SYS_fcntl, ends[0], F_SETOWN, (long)getpid())));
    (void)printf("parent %s ", answer(syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, (long)SIGCONT)));
    (void)printf("parent %s end\n",
                 answer(syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, (long)SIGTERM)));
}

static void print_nodes(void)
{
    static const mode_t types[] = {S_IFIFO, S_IFSOCK, S_IFREG, 0, S_IFCHR, S_IFBLK};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        (void)printf(
            "%s ", answer(syscall(SYS_mknodat, AT_FDCWD, "node", types[i] | 0600, makedev(1, 3))));
    (void)printf("end\n");
}

/* With the number that the loader gave it: it is loaded. */
static void print_library(void)
{
    void *loaded = dlopen("/lib/guestlink-preloaded.so", RTLD_NOW | RTLD_NOLOAD);

    (void)printf("library %s %s\n", getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none",
                 loaded ? "loaded" : "not loaded");
}

/* Prints what it may do, and with "stay" does not end. */
static int play(const char *what)
{
    if (strcmp(what, "capabilities") == 0)
        print_capabilities();
    else if (strcmp(what, "limits") == 0)
        print_limits();
    else if (strcmp(what, "answers") == 0)
        print_answers();
    else if (strcmp(what, "nodes") == 0)
        print_nodes();
    else if (strcmp(what, "wakers") == 0)
        print_wakers();
    else if (strcmp(what, "library") == 0)
        print_library();
    (void)fflush(stdout);
    while (strcmp(what, "stay") == 0)
        (void)poll(NULL, 0, -1);
    return 7;
}

/* ---- the test */

struct run {
    struct child *child;
    struct devices_told told;
    struct sink *sink;
};

/* @param connection  its descriptor 3, or -1 */
static void start(struct devices *devices, const struct jail *jail, const char *const *argv,
                  int connection, struct run *ret_run)
{
    struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, connection}, .jail = jail};
    int ends[2];

    *ret_run = (struct run){.child = NULL};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(
        sink_new(devices->event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &ret_run->sink), 0);
    spec.fds[1] = spec.fds[2] = ends[1];
    assert_int_equal(
        child_start(devices->event, &spec, devices_told_end, &ret_run->told, &ret_run->child), 0);
    (void)close(ends[1]);
}

/* @return what it printed, in a static buffer */
static const char *finish(struct devices *devices, struct run *run)
{
    static char said[SINK_LAST_WORDS + 1];

    devices_wait(devices, &run->told.ends, 1);
    sink_drain(run->sink);
    (void)snprintf(said, sizeof(said), "%s", sink_data(run->sink, NULL));
    child_free(run->child);
    sink_free(run->sink);
    return said;
}

static const char *run_words(struct devices *devices, struct jail jail, const char *const *argv,
                             int status)
{
    struct run run;
    const char *said;

    if (!jail.place)
        jail.place = "/in/side";
    start(devices, &jail, argv, -1, &run);
    said = finish(devices, &run);
    if (!run.told.end.known || run.told.end.signaled || run.told.end.status != status)
        fail_msg("status %d, said: %s", run.told.end.status, said);
    return said;
}

static const char *self(void)
{
    static char path[PATH_MAX];

    return realpath("/proc/self/exe", path);
}

/* Runs this program to print @p what. */
static const char *say(struct devices *devices, struct jail jail, const char *what)
{
    return run_words(devices, jail, (const char *const[]){self(), what, NULL}, 7);
}

static const char *shell(struct devices *devices, struct jail jail, const char *script, int status)
{
    return run_words(devices, jail, (const char *const[]){"/bin/sh", "-c", script, NULL}, status);
}

static struct jail usual(const struct devices *devices)
{
    return (struct jail){
        .folder = devices->directory, .calls = CALLS, .memory = MEMORY, .files = 20};
}

static void program_has_the_capabilities_of_the_spec_alone(void **state)
{
    const struct devices *devices = *state;
    /* the last one is in the second word, if the kernel has it */
    uint64_t wanted =
        0x83 | (own_users || prctl(PR_CAPBSET_READ, 38) == 1 ? JAIL_CAPABILITY(38) : 0);
    struct jail jail = usual(devices);
    char expected[256];

    (void)snprintf(expected, sizeof(expected),
                   "effective %x%08x permitted %x%08x inheritable 00 bounding %llx privileges 1\n",
                   (unsigned)(wanted >> 32), (unsigned)wanted, (unsigned)(wanted >> 32),
                   (unsigned)wanted, (unsigned long long)wanted);
    jail.capabilities = wanted;
    assert_string_equal(say(*state, jail, "capabilities"), expected);
    jail.calls = NULL; /* it has its own filter, and what sets that is here as well */
    assert_string_equal(say(*state, jail, "capabilities"), expected);
    jail.network = true;
    assert_string_equal(say(*state, jail, "capabilities"), expected);
    jail.capabilities = 0;
    assert_string_equal(say(*state, jail, "capabilities"),
                        "effective 000000000 permitted 000000000 inheritable 00 bounding 0 "
                        "privileges 1\n");
}

static void program_has_the_limits_of_the_spec(void **state)
{
    struct jail jail = usual(*state);
    char expected[256];
    struct rlimit stack, data, files;

    (void)snprintf(expected, sizeof(expected),
                   "core 0 0 stack %llu %llu data %llu %llu files 20 20 end\n",
                   (unsigned long long)STACK, (unsigned long long)STACK, (unsigned long long)MEMORY,
                   (unsigned long long)MEMORY);
    assert_string_equal(say(*state, jail, "limits"), expected);

    /* where it says nothing, they are ours */
    assert_int_equal(getrlimit(RLIMIT_STACK, &stack), 0);
    assert_int_equal(getrlimit(RLIMIT_DATA, &data), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    (void)snprintf(expected, sizeof(expected),
                   "core 0 0 stack %llu %llu data %llu %llu files %llu %llu end\n",
                   (unsigned long long)stack.rlim_cur, (unsigned long long)stack.rlim_max,
                   (unsigned long long)data.rlim_cur, (unsigned long long)data.rlim_max,
                   (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
    jail.memory = jail.files = 0;
    assert_string_equal(say(*state, jail, "limits"), expected);
}

/* A limit of ours that is lower is not raised, and no reason to fail. */
static void lower_limit_stays(void **state)
{
    struct jail jail = usual(*state);
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max > INT_MAX)
        skip();
    jail.files = files.rlim_max + 1;
    if (own_users) {
        assert_int_equal(files.rlim_max, FEW);
        assert_non_null(strstr(say(*state, jail, "limits"), "files 30 30 end\n"));
    } else {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "files %llu %llu end\n",
                       (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
        assert_non_null(strstr(say(*state, jail, "limits"), expected));
    }
}

static void calls_are_answered_as_the_spec_says(void **state)
{
    const char *setgroups_answer = own_users ? "0" : "EPERM"; /* no CAP_SETGID */
    struct jail jail = usual(*state);
    char expected[256];

    (void)snprintf(expected, sizeof(expected),
                   "setgroups %s uname ENOSYS setrlimit 0 prlimit 0 files 20 20 its own 0 "
                   "files 10 10 end\n",
                   setgroups_answer);
    assert_string_equal(say(*state, jail, "answers"), expected);
    jail.calls = NULL;
    (void)snprintf(expected, sizeof(expected),
                   "setgroups %s uname 0 setrlimit 0 prlimit 0 files 10 10 its own 0 "
                   "files 10 10 end\n",
                   setgroups_answer);
    assert_string_equal(say(*state, jail, "answers"), expected);
}

/* One that is stopped while its device has no driver works on the guest's memory if it goes on. */
static void program_with_its_own_filter_cannot_have_itself_woken(void **state)
{
    struct jail jail = usual(*state);

    jail.calls = NULL;
    for (int i = 0; i < 2; i++) {
        jail.network = i > 0;
        assert_string_equal(say(*state, jail, "wakers"),
                            "timer EPERM queue EPERM descriptor EPERM descriptor EPERM descriptor "
                            "EPERM owner 0 parent EPERM parent 0 end\n");
    }
}

/* The answer to each of the first is an error of the kernel's if the node exists already. */
static void no_device_is_made(void **state)
{
    const struct devices *devices = *state;
    struct jail jail = usual(devices);
    char path[FOLDER_BYTES + 8];
    struct stat st;

    assert_string_equal(say(*state, jail, "nodes"), "0 EEXIST EEXIST EEXIST EPERM EPERM end\n");
    (void)snprintf(path, sizeof(path), "%s/node", devices->directory);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(unlink(path), 0);
}

static void library_is_loaded_from_the_jail(void **state)
{
    struct jail jail = usual(*state);
    Dl_info library;

    assert_string_equal(say(*state, jail, "library"), "library none not loaded\n");
    assert_int_not_equal(dladdr((void *)(uintptr_t)&_cmocka_run_group_tests, &library), 0);
    jail.library = library.dli_fname; /* whichever: it is another file there */
    assert_string_equal(say(*state, jail, "library"),
                        "library /lib/guestlink-preloaded.so loaded\n");
    assert_non_null(
        strstr(shell(*state, jail, ": >/lib/guestlink-preloaded.so", 2), "Read-only file system"));
    jail.library = "/nonexistent/library.so";
    assert_non_null(strstr(shell(*state, jail, "echo begun", CHILD_NOT_STARTED),
                           "cannot set up the jail for /bin/sh: /nonexistent/library.so: No such "
                           "file or directory; not starting it\n"));
}

static void jail_without_a_folder_has_an_empty_one(void **state)
{
    struct jail jail = usual(*state);

    jail.folder = NULL;
    assert_string_equal(shell(*state, jail, "pwd; echo *; cd ..; echo *", 0),
                        "/in/side\n*\nside\n");
    assert_non_null(strstr(shell(*state, jail, ": >made", 2), "Read-only file system"));
    jail.place = "/at";
    assert_string_equal(shell(*state, jail, "pwd; cd /; echo a*", 0), "/at\nat\n");
}

/* Of itself and nobody else, and no way to the kernel's settings. */
static void processes_are_shown_where_the_spec_says_so(void **state)
{
    static const char script[] =
        "echo /proc/*; read pid rest </proc/self/stat; echo $pid; echo /processes/[0-9]*;"
        "for name in file-max nr_open; do read limit </proc/sys/fs/$name; echo $limit; done;"
        "test -e /processes/sys || echo no settings; : >/proc/sys/fs/file-max";
    struct jail jail = usual(*state);
    const char *said;
    struct run run;

    jail.place = "/in";
    jail.processes = true;
    start(*state, &jail, (const char *const[]){"/bin/sh", "-c", script, NULL}, -1, &run);
    said = finish(*state, &run);
    if (own_users && strstr(said, "a procfs in it: Operation not permitted"))
        skip(); /* a container's own procfs has covers, which keep every other one out */
    assert_int_equal(run.told.end.status, 2);
    assert_non_null(strstr(said, "/proc/self /proc/sys\n1\n/processes/1\n2147483647\n2147483647\n"
                                 "no settings\n"));
    assert_non_null(strstr(said, "Read-only file system"));
}

/* What the one inside becomes is what the one outside becomes. */
static void end_of_the_program_is_the_jails(void **state)
{
    struct devices *devices = *state;
    struct jail jail = usual(devices);
    struct run run;
    pid_t inside;

    assert_string_equal(shell(devices, jail, "exit 42", 42), "");
    jail.place = "/in";
    start(devices, &jail, (const char *const[]){self(), "stay", NULL}, -1, &run);
    do {
        devices_run(devices, 10);
        inside = devices_child_of(child_pid(run.child));
    } while (inside == 0);
    assert_int_equal(kill(inside, SIGUSR1), 0); /* the first of its processes: it is not heeded */
    devices_run(devices, 20);
    assert_int_equal(run.told.ends, 0);
    assert_int_equal(kill(inside, SIGKILL), 0);
    (void)finish(devices, &run);
    assert_true(run.told.end.known && run.told.end.signaled);
    assert_int_equal(run.told.end.status, SIGKILL);
}

/* The server of a connection does not outlive it for long, whatever it waits for. */
static void program_ends_with_its_connection(void **state)
{
    struct devices *devices = *state;
    struct jail jail = usual(devices);
    struct run run;
    int ends[2];

    jail.place = "/in";
    jail.connected = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    start(devices, &jail, (const char *const[]){self(), "stay", NULL}, ends[1], &run);
    (void)close(ends[1]);
    devices_run(devices, 2 * PATIENCE);
    assert_int_equal(run.told.ends, 0);
    (void)close(ends[0]);
    (void)finish(devices, &run);
    assert_true(run.told.end.known && run.told.end.signaled);
    assert_int_equal(run.told.end.status, SIGKILL);

    /* one that ends by itself ends as it does */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    start(devices, &jail,
          (const char *const[]){"/bin/sh", "-c", "read word <&3; echo $word; exit 9", NULL},
          ends[1], &run);
    (void)close(ends[1]);
    assert_int_equal(write(ends[0], "word\n", 5), 5);
    assert_string_equal(finish(devices, &run), "word\n");
    assert_int_equal(run.told.end.status, 9);
    (void)close(ends[0]);

    /* and that of none is no concern of its jail's */
    jail.connected = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    start(devices, &jail, (const char *const[]){self(), "stay", NULL}, ends[1], &run);
    (void)close(ends[1]);
    (void)close(ends[0]);
    devices_run(devices, 4 * PATIENCE);
    assert_int_equal(run.told.ends, 0);
    (void)child_kill(run.child);
    sink_free(run.sink);
}

static int drop_capabilities(void **state)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    const struct rlimit few = {.rlim_cur = FEW, .rlim_max = FEW};

    if (setrlimit(RLIMIT_NOFILE, &few) < 0 || syscall(SYS_capget, &header, data) < 0)
        return -1;
    /* without this one root can map nobody into its namespace (user_namespaces(7)) */
    data[0].effective = data[0].permitted &= (uint32_t)JAIL_CAPABILITY(CAP_SETFCAP);
    data[1].effective = data[1].permitted = data[0].inheritable = data[1].inheritable = 0;
    if (syscall(SYS_capset, &header, data) < 0)
        return -1;
    own_users = true;
    return descriptors_note(state);
}

static bool has_administration(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    return syscall(SYS_capget, &header, data) == 0 &&
           data[0].effective & JAIL_CAPABILITY(CAP_SYS_ADMIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        TEST(program_has_the_capabilities_of_the_spec_alone),
        TEST(program_has_the_limits_of_the_spec),
        TEST(lower_limit_stays),
        TEST(calls_are_answered_as_the_spec_says),
        TEST(program_with_its_own_filter_cannot_have_itself_woken),
        TEST(no_device_is_made),
        TEST(library_is_loaded_from_the_jail),
        TEST(jail_without_a_folder_has_an_empty_one),
        TEST(processes_are_shown_where_the_spec_says_so),
        TEST(end_of_the_program_is_the_jails),
        TEST(program_ends_with_its_connection),
    };
    const struct CMUnitTest others[] = {/* where it matters */
                                        TEST(program_has_the_capabilities_of_the_spec_alone),
                                        TEST(lower_limit_stays),
                                        TEST(program_with_its_own_filter_cannot_have_itself_woken),
                                        TEST(calls_are_answered_as_the_spec_says),
                                        TEST(processes_are_shown_where_the_spec_says_so)};
    int failed;

    if (argc > 1)
        return play(argv[1]);
    if (!has_administration())
        return cmocka_run_group_tests(tests, drop_capabilities, descriptors_compare);
    failed = cmocka_run_group_tests_name("with capabilities", tests, descriptors_note,
                                         descriptors_compare);
    return failed +
           cmocka_run_group_tests_name("without", others, drop_capabilities, descriptors_compare);
}
