/* jail: where a program runs that somebody hostile talks to, and that is root in name. */
#include "jail.h"

#include "jail_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTION 3 /* where the connected program finds it */

/* What the process outside keeps: it looks whether others ended, ends one, and ends; and what the
 * C library does meanwhile, or a sanitizer. */
static const struct jail outside_rights = {
    .calls = "poll ppoll wait4 kill getpid gettid tgkill dup2 dup3 close close_range prctl "
             "rt_sigaction rt_sigprocmask rt_sigreturn exit exit_group restart_syscall "
             "brk mmap munmap madvise futex sched_yield sigaltstack write",
};

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int r = 0;

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%s", text) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

/* The caller's user is root in there, and nobody else exists: user_namespaces(7). */
static int unshare_users(const char **ret_step)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char users[32], groups[32];
    int r;

    *ret_step = "a user namespace (the kernel refuses one to this user; allow them with sysctl "
                "user.max_user_namespaces, kernel.unprivileged_userns_clone or "
                "kernel.apparmor_restrict_unprivileged_userns, or run the daemon as root)";
    if (unshare(CLONE_NEWUSER) < 0)
        return -errno;
    *ret_step = "the users of its user namespace";
    (void)snprintf(users, sizeof(users), "0 %u 1", uid);
    (void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
    r = write_text("/proc/self/setgroups", "deny");
    if (r == 0)
        r = write_text("/proc/self/uid_map", users);
    if (r == 0)
        r = write_text("/proc/self/gid_map", groups);
    return r;
}

/* A process cannot set its groups in a user namespace that was made without privileges. */
static bool groups_are_fixed(void)
{
    char text[5] = "";
    int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    (void)close(fd);
    return strcmp(text, "deny") == 0;
}

/*
 * The next child is the first process of the namespace, and its end ends all others in there.
 *
 * @param ret_own_users  the caller is in a user namespace of its user's own
 */
static int unshare_processes(bool *ret_own_users, const char **ret_step)
{
    int r;

    *ret_own_users = groups_are_fixed();
    if (unshare(CLONE_NEWPID) == 0)
        return 0;
    *ret_step = "a process namespace";
    if (errno != EPERM)
        return -errno;
    r = unshare_users(ret_step);
    if (r < 0)
        return r;
    *ret_own_users = true;
    *ret_step = "a process namespace";
    return unshare(CLONE_NEWPID) < 0 ? -errno : 0;
}

/* Until the one inside ends, or has not ended JAIL_LINGER_MS after its connection. */
static void await_end(pid_t inside, int pidfd, int connection)
{
    struct pollfd watched[] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = connection, .events = POLLRDHUP}};

    while (poll(watched, 2, -1) < 0 && errno == EINTR)
        ;
    if (watched[0].revents == 0 && poll(watched, 1, JAIL_LINGER_MS) == 0)
        (void)kill(inside, SIGKILL);
}

/*
 * The end that those see who know this process.
 *
 * @param alive  says that it lives, while it is open
 * @return -errno: it may do more than it should; the one inside ends with it
 */
static int end_as(pid_t inside, int alive, bool connected, const char **ret_step)
{
    int pidfd = connected ? pidfd_open(inside, 0) : -1;
    int status = 0, r;

    *ret_step = "its supervisor";
    r = chdir("/") < 0 ? -errno : jail_shed_rights(&outside_rights, false, ret_step);
    if (r < 0)
        return r;
    /* nobody's standard streams */
    if (dup2(alive, 0) == 0 && dup2(pidfd, 1) == 1 && dup2(CONNECTION, 2) == 2) {
        (void)close_range(3, ~0U, 0);
        await_end(inside, 1, 2);
    }
    (void)close_range(1, ~0U, 0);
    while (waitpid(inside, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* @param alive  hangs up with the one outside: it may have ended before it could be bound to */
static int bind_to_outside(int alive)
{
    struct pollfd hangup = {.fd = alive};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    if (poll(&hangup, 1, 0) != 0)
        return -ESRCH;
    (void)close(alive);
    return 0;
}

static int enter(const struct jail *jail, const char *program, bool own_users,
                 const char **ret_step)
{
    int r;

    *ret_step = "namespaces";
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                (jail->network ? 0 : CLONE_NEWNET)) < 0)
        return -errno;
    *ret_step = "an environment";
    if (clearenv() != 0) /* before the libraries are listed: as they will be loaded */
        return -ENOMEM;
    r = jail_root_enter(jail, program, ret_step);
    if (r == 0 && jail->library && setenv("LD_PRELOAD", JAIL_LIBRARY, 1) < 0)
        r = -errno;
    return r < 0 ? r : jail_shed_rights(jail, own_users, ret_step);
}

int jail_enter(const struct jail *jail, const char *program, const char **ret_step)
{
    int alive[2], r;
    bool own_users;
    pid_t inside;

    r = unshare_processes(&own_users, ret_step);
    if (r < 0)
        return r;
    *ret_step = "a process";
    if (pipe2(alive, O_CLOEXEC) < 0)
        return -errno;
    inside = fork();
    if (inside < 0)
        return -errno;
    if (inside > 0)
        return end_as(inside, alive[1], jail->connected, ret_step);
    (void)close(alive[1]);
    *ret_step = "a link to its supervisor";
    r = bind_to_outside(alive[0]);
    return r < 0 ? r : enter(jail, program, own_users, ret_step);
}
