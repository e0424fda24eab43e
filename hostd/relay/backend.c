/* backend: the device's process as a child of the relay, and the connection to it. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_FD 3 /* where it finds it, whichever socket that is */

/* Each file of the share that the guest knows is a descriptor. As many as virtiofsd wants by
 * itself. */
#define FILES 1000000u

/* In a jail virtiofsd is not asked to see to it itself. */
static void allow_files(void)
{
    const struct rlimit wanted = {.rlim_cur = FILES, .rlim_max = FILES};
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur >= FILES ||
        setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return;
    now.rlim_cur = now.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &now);
}

_Noreturn static void execute(const struct backend_spec *spec, int its_socket)
{
    char *const *argv = spec->argv;
    const char *step = "";
    int r;

    /* The relay's end is the guest's loss anyway: nobody must be left who serves no one. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGTERM, spec->stubborn ? SIG_IGN : SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(its_socket, SOCKET_FD) < 0 || fcntl(SOCKET_FD, F_SETFD, 0) < 0)
        _exit(126);
    (void)close_range(SOCKET_FD + 1, ~0U, CLOSE_RANGE_UNSHARE);
    (void)prctl(PR_SET_DUMPABLE,
                1); /* or /proc/self is root's, and an ordinary user's jail fails */
    if (spec->jail)
        allow_files();
    r = spec->jail ? jail_enter(spec->jail, argv[0], &step) : 0;
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "cannot set up the jail for %s: %s: %s; not starting it\n",
                      argv[0], step, strerrordesc_np(-r));
        _exit(126);
    }
    (void)execv(argv[0], argv);
    (void)dprintf(STDERR_FILENO, "cannot execute %s: %s\n", argv[0], strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* @return the listening socket, or -errno */
static int make_listener(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    (void)unlink(address->sun_path);
    (void)umask(0177);
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 1) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

/* @param ret_its_socket  the listening one; it is connected to before the program runs, which takes
 * the first who comes: us. @return the connection, or -errno */
static int meet(const char *path, int *ret_its_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask = umask(0);
    int listener, fd;

    if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
        sizeof(address.sun_path))
        listener = -ENAMETOOLONG;
    else
        listener = make_listener(&address);
    (void)umask(mask);
    if (listener < 0)
        return listener;
    fd = connect_to(&address);
    (void)unlink(address.sun_path);
    if (fd < 0)
        (void)close(listener);
    else
        *ret_its_socket = listener;
    return fd;
}

/* @return as meet() */
static int make_pair(int *ret_its_socket)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    *ret_its_socket = ends[1];
    return ends[0];
}

int backend_start(const struct backend_spec *spec, struct backend *ret_backend)
{
    struct backend backend = BACKEND_NULL;
    int its_socket = -1;

    backend.fd = spec->kind->connected ? make_pair(&its_socket) : meet(spec->socket, &its_socket);
    if (backend.fd < 0)
        return backend.fd;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    backend.pid = fork();
    if (backend.pid == 0)
        execute(spec, its_socket);
    (void)close(its_socket);
    backend.pidfd = backend.pid > 0 ? pidfd_open(backend.pid, 0) : -1;
    if (backend.pidfd < 0) {
        int r = -errno;

        (void)backend_end(&backend);
        return r;
    }
    *ret_backend = backend;
    return 0;
}

/* The kernel lists the children of a thread (proc(5), /proc/PID/task/TID/children). */
static void kill_children(void)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    char *line = NULL;
    size_t capacity = 0;

    while (file && getdelim(&line, &capacity, ' ', file) > 0) {
        long pid = strtol(line, NULL, 10);

        if (pid > 1)
            (void)kill((pid_t)pid, SIGKILL);
    }
    free(line);
    if (file)
        (void)fclose(file);
}

int backend_end(struct backend *backend)
{
    int status = 0, one;
    pid_t pid;

    if (backend->fd >= 0)
        (void)close(backend->fd);
    /* Its own children become ours when it is gone. */
    do {
        kill_children();
        pid = waitpid(-1, &one, 0);
        if (pid > 0 && pid == backend->pid)
            status = one;
    } while (pid > 0 || (pid < 0 && errno == EINTR));
    if (backend->pidfd >= 0)
        (void)close(backend->pidfd);
    *backend = BACKEND_NULL;
    return status;
}
