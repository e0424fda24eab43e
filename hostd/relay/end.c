/* end: how a process of the relay's ends, and how the daemon learns it. */
#include "end.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_note(const char *file, int status)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return;
    (void)dprintf(fd, "%s %d\n", WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    (void)close(fd);
}

void end_note(const char *file, int status)
{
    char new_file[PATH_MAX];

    if ((size_t)snprintf(new_file, sizeof(new_file), "%s.new", file) >= sizeof(new_file))
        return;
    write_note(new_file, status);
    (void)rename(new_file, file);
}

_Noreturn void end_as(const char *file, int status)
{
    const struct rlimit none = {0, 0};

    if (file)
        write_note(file, status);
    if (WIFSIGNALED(status)) {
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}
