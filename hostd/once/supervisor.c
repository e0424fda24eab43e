/* supervisor: seen from `guestlink run`; and the loop of the supervisor itself. */
#include "supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "children.h"
#include "image.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the end of the run's time to the end of its VM: more than SHUT_DOWN_MS (inside.c), for a
 * `guestlink run` whose reader is slow. */
#define LEAVE_MS 20000

struct keeper {
    struct plan *plan;
    int lifeline, events;
    struct children children;
};

static void tell(const struct keeper *keeper, enum supervisor_event event)
{
    char byte = (char)event;

    (void)!write(keeper->events, &byte, 1);
}

/* @return a descriptor that can be read from when the run's time is over; -1: never */
static int start_clock(uint64_t timeout_ms)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(timeout_ms / 1000),
                                         .tv_nsec = (long)(timeout_ms % 1000) * 1000000}};
    int fd = timeout_ms == 0 ? -1 : timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (fd >= 0)
        (void)timerfd_settime(fd, 0, &at, NULL);
    return fd;
}

/* Can be read from when either can be. @return -1: never */
static int join(int a, int b)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd >= 0)
        (void)epoll_ctl(fd, EPOLL_CTL_ADD, a, &event);
    if (fd >= 0 && b >= 0)
        (void)epoll_ctl(fd, EPOLL_CTL_ADD, b, &event);
    return fd;
}

/* Until `guestlink run` wants no more of it, or its time is long over. */
static void watch(struct keeper *keeper, int clock)
{
    struct children *children = &keeper->children;
    uint64_t late_us = 0; /* when the VM ends whatever `guestlink run` does; 0: never */
    struct pollfd pollers[] = {
        {.fd = keeper->lifeline, .events = POLLIN},  {.fd = clock, .events = POLLIN},
        {.fd = children->qemu, .events = POLLIN},    {.fd = children->daemon, .events = POLLIN},
        {.fd = children->console, .events = POLLIN}, {.fd = children->log, .events = POLLIN},
    };

    while (pollers[0].revents == 0) {
        int left_ms = late_us == 0 ? -1 : (int)((late_us - clock_now_us()) / 1000);

        if (late_us != 0 && clock_now_us() >= late_us)
            return;
        if (poll(pollers, sizeof(pollers) / sizeof(pollers[0]), left_ms) < 0)
            continue;
        if (pollers[4].revents != 0 && !children_take_console(children))
            pollers[4].fd = -1;
        if (pollers[5].revents != 0 && !children_take_log(children))
            pollers[5].fd = -1;
        for (size_t i = 1; i <= 3; i++) {
            static const enum supervisor_event ends[] = {0, SUPERVISOR_TIMED_OUT,
                                                         SUPERVISOR_NO_QEMU, SUPERVISOR_NO_DAEMON};

            if (pollers[i].revents == 0)
                continue;
            /* Its last words first: who reads the end reads them. */
            (void)children_take_console(children);
            (void)children_take_log(children);
            tell(keeper, ends[i]);
            if (i == 1)
                late_us = clock_now_us() + LEAVE_MS * UINT64_C(1000);
            pollers[i].fd = -1;
            pollers[i].revents = 0;
        }
        /* What the daemon's own children left behind; a pidfd does not need its process' zombie. */
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void serve(struct keeper *keeper)
{
    struct plan *plan = keeper->plan;
    FD clock = start_clock(plan->request->timeout_ms);
    FD stop = join(keeper->lifeline, clock);
    struct pollfd poller = {.fd = clock, .events = POLLIN};
    int r = image_get(plan->request, plan->kernel, plan->folder, stop, plan->image);

    if (r == 0)
        r = children_start(plan, &keeper->children);
    else if (r == -ECANCELED && poll(&poller, 1, 0) > 0)
        tell(keeper, SUPERVISOR_TIMED_OUT);
    tell(keeper, r == 0 ? SUPERVISOR_STARTED : SUPERVISOR_FAILED);
    if (r == 0)
        watch(keeper, clock);
}

/* @param folder  holds the folder's lock until this process ends */
_Noreturn static void keep(struct plan *plan, int folder, int lifeline, int events)
{
    struct keeper keeper = {
        .plan = plan, .lifeline = lifeline, .events = events, .children = CHILDREN_NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid(); /* a terminal's Ctrl-C is for the command in the guest */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)signal(SIGPIPE, SIG_IGN);
    /* The reader of our output, and the writer of our input, are those of `guestlink run`. */
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    serve(&keeper);
    children_end(&keeper.children);
    if (!plan->request->keep)
        folder_remove(plan->folder);
    (void)close(folder);
    _exit(EXIT_SUCCESS);
}

int supervisor_start(struct plan *plan, int folder, struct supervisor *ret_supervisor)
{
    int lifeline[2] = {-1, -1}, events[2] = {-1, -1}, r = 0;
    FD lock = folder;
    pid_t pid = -1;

    if (pipe2(lifeline, O_CLOEXEC) < 0 || pipe2(events, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        r = -errno;
    if (pid == 0) {
        (void)close(lifeline[1]);
        (void)close(events[0]);
        keep(plan, fd_take(&lock), lifeline[0], events[1]);
    }
    fd_close(&lifeline[0]);
    fd_close(&events[1]);
    if (r < 0) {
        fd_close(&lifeline[1]);
        fd_close(&events[0]);
        folder_remove(plan->folder);
        return r;
    }
    *ret_supervisor = (struct supervisor){.pid = pid, .lifeline = lifeline[1], .events = events[0]};
    return 0;
}

int supervisor_wait(struct supervisor *supervisor, int timeout_ms)
{
    struct pollfd poller = {.fd = supervisor->events, .events = POLLIN};
    char byte;

    if (poll(&poller, 1, timeout_ms) <= 0)
        return 0;
    if (read(supervisor->events, &byte, 1) != 1)
        byte = SUPERVISOR_FAILED;
    if (byte != SUPERVISOR_STARTED && byte != SUPERVISOR_TIMED_OUT)
        supervisor->over = true;
    return byte;
}

void supervisor_end(struct supervisor *supervisor)
{
    (void)close(supervisor->lifeline);
    while (waitpid(supervisor->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)close(supervisor->events);
}
