/*
 * p9 server: one share served over one 9P connection by diod, which finds the connection as a file
 * descriptor. diod serves one client and ends with the connection.
 *
 * diod takes what it is asked for: names with a slash or "..", symlinks, devices. The guest's root
 * speaks to it, and diod acts as root. Its jail is what keeps it in the share.
 */
#include "p9_server.h"

#include "base/child.h"
#include "base/limits.h"
#include "base/program.h"
#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTION_FD "3"

/* Without it who opens a pipe holds up all others on that connection. */
#define NO_PIPES "guestlink-no-pipes.so"

/* The share in diod's jail, in which there is no procfs: under the name that guests attach to. */
#define PLACE "/proc/self/cwd"

/* To act as the user of the guest that asks (SETUID, SETGID), and as root on what the share holds.
 */
#define CAPABILITIES                                                                               \
    (JAIL_CAPABILITY(CAP_CHOWN) | JAIL_CAPABILITY(CAP_DAC_OVERRIDE) |                              \
     JAIL_CAPABILITY(CAP_FOWNER) | JAIL_CAPABILITY(CAP_FSETID) | JAIL_CAPABILITY(CAP_SETUID) |     \
     JAIL_CAPABILITY(CAP_SETGID))

/* What diod and its C library call, and what others of their releases would: files and their names,
 * their attributes, the connection; then threads, memory, time, who it is. Nothing that opens a
 * socket, makes a namespace or a mount, takes a file by its handle, or looks at another process. */
#define CALLS                                                                                      \
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close open "   \
    "openat openat2 creat fsync fdatasync sync_file_range syncfs truncate ftruncate fallocate "    \
    "fadvise64 copy_file_range sendfile flock fcntl dup dup2 dup3 pipe pipe2 close_range "         \
    "stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink "       \
    "readlinkat getdents getdents64 getcwd chdir fchdir umask rename renameat renameat2 link "     \
    "linkat unlink unlinkat symlink symlinkat mkdir mkdirat rmdir mknod mknodat chmod fchmod "     \
    "fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat "            \
    "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr "   \
    "removexattr lremovexattr fremovexattr recvfrom sendto recvmsg sendmsg shutdown getsockname "  \
    "getpeername getsockopt setsockopt poll ppoll select pselect6 epoll_create1 epoll_ctl "        \
    "epoll_wait epoll_pwait eventfd2 "                                                             \
    "brk mmap munmap mprotect mremap madvise membarrier clone futex set_robust_list "              \
    "get_robust_list set_tid_address rseq arch_prctl prctl exit exit_group restart_syscall "       \
    "sched_yield sched_getaffinity getcpu rt_sigaction rt_sigprocmask rt_sigreturn "               \
    "rt_sigtimedwait rt_sigsuspend rt_sigpending sigaltstack kill tkill tgkill getrandom "         \
    "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage "      \
    "sysinfo uname getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid "    \
    "getresuid getresgid getgroups setfsuid setfsgid setgroups capget capset getrlimit "           \
    "setrlimit prlimit64"

struct p9_server {
    struct child *child;
    struct sink *errors;
    p9_server_ended_fn on_ended;
    void *userdata;
};

static void on_child_ended(void *userdata, const struct child_end *end)
{
    struct p9_server *server = userdata;
    char words[SINK_LAST_WORDS + 1], how[CHILD_END_SIZE], text[sizeof(words) + sizeof(how) + 64];

    sink_drain(server->errors);
    (void)sink_last_words(server->errors, words, sizeof(words));
    (void)snprintf(text, sizeof(text), "diod: %s; last output: %s", child_end_describe(end, how),
                   words[0] ? words : "none");
    server->on_ended(server->userdata, text);
}

static int start(sd_event *event, struct p9_server *server, int fd, const char *path,
                 bool read_only)
{
    char program[LIMITS_PATH], library[LIMITS_PATH];
    /* No user database and no authentication: on the connection is the guest's PID 1, who may act
     * as any user inside the share. No configuration file, which could export more. */
    const char *const argv[] = {
        program, "-f",          "-n", "-N",          "-c", "/dev/null",     "-L", "stderr",
        "-r",    CONNECTION_FD, "-w", CONNECTION_FD, "-e", LIMITS_9P_ANAME, NULL};
    const struct jail jail = {
        .folder = path,
        .read_only = read_only,
        .connected = true,
        .place = PLACE,
        .capabilities = CAPABILITIES,
        .memory = LIMITS_P9_MEMORY,
        .files = LIMITS_P9_FILES,
        .library = program_find_own(NO_PIPES, library),
        .calls = CALLS,
    };
    struct child_spec spec = {
        .argv = argv,
        .fds = {-1, -1, -1, fd},
        .outside = true,
        .detached = true,
        .jail = &jail,
    };
    int ends[2], r;

    r = program_find("diod", program, sizeof(program));
    if (r < 0)
        r = program_find("/usr/sbin/diod", program, sizeof(program));
    if (r < 0 || !jail.library)
        return r < 0 ? r : -ELIBACC;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    spec.fds[2] = ends[1];
    r = sink_new(event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &server->errors);
    if (r == 0)
        r = child_start(event, &spec, on_child_ended, server, &server->child);
    (void)close(ends[1]);
    return r;
}

int p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                  p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server)
{
    struct p9_server *server = calloc(1, sizeof(*server));
    int flags = fcntl(fd, F_GETFL);
    int r = -ENOMEM;

    if (server) {
        server->on_ended = ended;
        server->userdata = userdata;
        /* diod reads with plain blocking calls; the flag belongs to the socket, not to us. */
        if (flags >= 0)
            (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        r = start(event, server, fd, path, read_only);
    }
    (void)close(fd);
    if (r < 0) {
        (void)p9_server_free(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

struct p9_server *p9_server_release(struct p9_server *server)
{
    if (!server)
        return NULL;
    (void)child_free(server->child);
    sink_free(server->errors);
    free(server);
    return NULL;
}

struct p9_server *p9_server_free(struct p9_server *server)
{
    if (!server)
        return NULL;
    child_kill(server->child);
    sink_free(server->errors);
    free(server);
    return NULL;
}
