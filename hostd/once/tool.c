/* tool: found by name, started without a shell. */
#include "tool.h"

#include "base/fd.h"
#include "base/program.h"
#include "ctl/say.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_MS 1000

/* The folder of this program. @return false: unknown */
static bool find_own_folder(char path[LIMITS_PATH])
{
    ssize_t size = readlink("/proc/self/exe", path, LIMITS_PATH - 1);

    path[size > 0 ? size : 0] = '\0';
    if (strrchr(path, '/') == NULL)
        return false;
    *strrchr(path, '/') = '\0';
    return true;
}

void tool_extend_path(void)
{
    const char *path = getenv("PATH");
    char *longer, own[LIMITS_PATH];

    if (!find_own_folder(own) || asprintf(&longer, "%s:/usr/sbin:/sbin:%s/../libexec/guestlink",
                                          path != NULL ? path : "/usr/bin:/bin", own) < 0)
        return;
    (void)setenv("PATH", longer, 1);
    free(longer);
}

int tool_find(const char *name, const char *package, char ret_path[LIMITS_PATH])
{
    /* From the folder of this program: a build's, and an installation's. */
    static const char *const folders[] = {"../init", "../sbin", "../libexec/guestlink"};
    char self[LIMITS_PATH];
    bool found = find_own_folder(self);

    for (size_t i = 0; found && i < sizeof(folders) / sizeof(folders[0]); i++) {
        if ((size_t)snprintf(ret_path, LIMITS_PATH, "%s/%s/%s", self, folders[i], name) <
                LIMITS_PATH &&
            access(ret_path, X_OK) == 0)
            return 0;
    }
    if (program_find_own(name, ret_path) != NULL)
        return 0;
    say_error("cannot find %s, neither next to this program nor in PATH; nothing was started; "
              "install the package %s",
              name, package);
    return -ENOENT;
}

void tool_prepare_child(pid_t parent)
{
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(128 + SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void tool_tell_progress(const char *what)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "guestlink: %s…\n", what);
}

static int wait_for(pid_t pid, int pidfd, const char *what, int stop)
{
    struct pollfd pollers[] = {{.fd = pidfd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    int patience = PROGRESS_MS, status, n;
    bool stopped = false;

    while (pollers[0].revents == 0 && !stopped) {
        n = poll(pollers, 2, patience);
        if (n == 0) {
            tool_tell_progress(what);
            patience = -1;
        }
        stopped = n > 0 && pollers[1].revents != 0;
    }
    if (stopped)
        (void)kill(pid, SIGTERM); /* guestlink-mkinitramfs removes what it made so far */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (stopped)
        return -ECANCELED;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int tool_run(const struct words *words, const char *what, int stop)
{
    pid_t self = getpid(), pid;
    FD pidfd = -1;

    if (words->failed)
        return -ENOMEM;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        tool_prepare_child(self);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)execvp(words->items[0], words->items);
        (void)fprintf(stderr, "guestlink: cannot run \"%s\": %s\n", words->items[0],
                      strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    pidfd = pidfd_open(pid, 0);
    return wait_for(pid, pidfd, what, stop);
}
