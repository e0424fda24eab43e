/* child: a process that does work for the daemon, started without a shell and watched to its end.
 */
#include "child.h"

#include "child_exec.h"
#include "launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    int pidfd;      /* -1: it is still being launched */
    int connection; /* to what launches it; -1: nothing, or it is done */
    bool outside;
    bool detached;
    bool ended;
    struct child_end end;
    sd_event_source *source;
    child_ended_fn on_ended;
    void *userdata;
};

bool child_has_ended(struct child *child, struct child_end *ret_end)
{
    struct pollfd dead = {.fd = child->pidfd, .events = POLLIN};
    siginfo_t info = {.si_pid = 0};

    if (!child->ended && child->pidfd >= 0) {
        if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) == 0) {
            child->ended = info.si_pid != 0;
            child->end.known = true;
            child->end.signaled = info.si_code != CLD_EXITED;
            child->end.status = info.si_status;
        } else if (errno == ECHILD) {
            /* Not our child: that it is dead, waited for or not, is all that can be known. */
            child->ended = poll(&dead, 1, 0) > 0;
            child->end.known = false;
        }
    }
    if (child->ended && ret_end)
        *ret_end = child->end;
    return child->ended;
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct child *child = userdata;

    (void)fd;
    (void)revents;
    if (!child_has_ended(child, NULL))
        return 0;
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (child->on_ended)
        child->on_ended(child->userdata, &child->end);
    else
        (void)sd_event_source_set_floating(source,
                                           false); /* see child_kill(): the last reference */
    return 0;
}

static void close_fds(const struct child *child)
{
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    if (child->connection >= 0)
        (void)close(child->connection); /* what is not launched yet ends by that */
}

/* The answer of what launches it, or its end. */
static int on_launched(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct child *child = userdata;
    sd_event_source *next = NULL;
    int r = launch_finish(fd, &child->pid, &child->pidfd);

    (void)revents;
    if (r == 0)
        r = sd_event_add_io(sd_event_source_get_event(source), &next, child->pidfd, EPOLLIN,
                            on_pidfd, child);
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (r < 0) {
        child->ended = child->end.never_began = true;
        child->on_ended(child->userdata, &child->end);
        return 0;
    }
    child->source = next;
    (void)close(child->connection);
    child->connection = -1;
    sd_event_source_disable_unref(source);
    return 0;
}

/* @param pidfd       consumed on success, as is @p connection
 * @param connection  if there is no pidfd yet, else -1 */
static int watch(sd_event *event, pid_t pid, int pidfd, int connection, bool detached,
                 child_ended_fn ended, void *userdata, struct child **ret_child)
{
    struct child *child = calloc(1, sizeof(*child));
    int r;

    if (!child)
        return -ENOMEM;
    if (pidfd >= 0)
        r = sd_event_add_io(event, &child->source, pidfd, EPOLLIN, on_pidfd, child);
    else
        r = sd_event_add_io(event, &child->source, connection, EPOLLIN, on_launched, child);
    if (r < 0) {
        free(child);
        return r;
    }
    (void)sd_event_source_set_description(child->source, "child");
    child->pid = pid;
    child->pidfd = pidfd;
    child->connection = connection;
    child->outside = connection >= 0;
    child->detached = detached;
    child->on_ended = ended;
    child->userdata = userdata;
    *ret_child = child;
    return 0;
}

static int launch(sd_event *event, const struct child_spec *spec, child_ended_fn ended,
                  void *userdata, struct child **ret_child)
{
    int connection = launch_ask(spec);
    int r;

    if (connection < 0)
        return connection;
    r = watch(event, 0, -1, connection, spec->detached, ended, userdata, ret_child);
    if (r < 0)
        (void)close(connection);
    return r;
}

int child_start(sd_event *event, const struct child_spec *spec, child_ended_fn ended,
                void *userdata, struct child **ret_child)
{
    pid_t pid;
    int pidfd, r;

    if (spec->outside && launch_is_wanted())
        return launch(event, spec, ended, userdata, ret_child);
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        child_exec(spec);

    pidfd = pidfd_open(pid, 0);
    r = pidfd < 0 ? -errno
                  : watch(event, pid, pidfd, -1, spec->detached, ended, userdata, ret_child);
    if (r < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        if (pidfd >= 0)
            (void)close(pidfd);
    }
    return r;
}

int child_recall(sd_event *event, const char *record, child_ended_fn ended, void *userdata,
                 struct child **ret_child)
{
    pid_t pid;
    int pidfd, r;

    r = child_record_read(record, &pid);
    if (r < 0)
        return r;
    /* The pidfd first, then the comparison again: now the number cannot be another's any more. */
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return -errno;
    r = child_record_read(record, &pid);
    if (r == 0)
        r = watch(event, pid, pidfd, -1, true, ended, userdata, ret_child);
    if (r < 0)
        (void)close(pidfd);
    return r;
}

struct child *child_free(struct child *child)
{
    if (!child)
        return NULL;
    (void)child_has_ended(child, NULL); /* leaves no zombie if it can be helped */
    sd_event_source_disable_unref(child->source);
    close_fds(child);
    free(child);
    return NULL;
}

static void destroy(void *userdata)
{
    struct child *child = userdata;

    close_fds(child);
    free(child);
}

struct child *child_kill(struct child *child)
{
    if (!child)
        return NULL;
    (void)child_signal(child, SIGKILL, true);
    if (child->pidfd < 0 || child_has_ended(child, NULL))
        return child_free(child);
    /* From here on it belongs to its event source, which waits for the end, or goes with the loop.
     */
    child->on_ended = NULL;
    (void)sd_event_source_set_destroy_callback(child->source, destroy);
    (void)sd_event_source_set_floating(child->source, true);
    sd_event_source_unref(child->source);
    return NULL;
}

pid_t child_pid(const struct child *child)
{
    return child->outside ? 0 : child->pid;
}

int child_signal(const struct child *child, int signal, bool group)
{
    if (child->pidfd < 0)
        return -ESRCH;
    if (pidfd_send_signal(child->pidfd, signal, NULL, 0) < 0)
        return -errno;
    /* It lived (or is a zombie that we have not waited for), so the group's number is still its. */
    if (group && child->detached && kill(-child->pid, signal) < 0 && errno != ESRCH)
        return -errno;
    return 0;
}

const char *child_end_describe(const struct child_end *end, char buffer[CHILD_END_SIZE])
{
    if (end->never_began)
        (void)snprintf(buffer, CHILD_END_SIZE,
                       "systemd did not start it; see journalctl -u 'guestlink-launch*'");
    else if (!end->known)
        (void)snprintf(buffer, CHILD_END_SIZE, "exit status unknown: not a child of this daemon");
    else if (end->signaled)
        (void)snprintf(buffer, CHILD_END_SIZE, "killed by signal %d (%s)", end->status,
                       sigdescr_np(end->status) ? sigdescr_np(end->status) : "unknown");
    else
        (void)snprintf(buffer, CHILD_END_SIZE, "exit status %d", end->status);
    return buffer;
}
