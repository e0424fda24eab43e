/* loop: the one place where PID 1 waits. */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "kmsg_log.h"

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll_fd < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return -errno;
    source->events = events;
    return 0;
}

/* A source that is watched for nothing leaves the epoll: it would report EPOLLHUP all the same. */
void loop_watch(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    int operation = EPOLL_CTL_MOD;

    if (source->fd < 0 || source->events == events)
        return;
    if (events == 0)
        operation = EPOLL_CTL_DEL;
    else if (source->events == 0)
        operation = EPOLL_CTL_ADD;
    if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) == 0)
        source->events = events;
}

void loop_close(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return;
    /* Said, not left to close(): a child that was just forked holds the file open for a moment. */
    if (source->events != 0)
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = fd_close(source->fd);
    source->events = 0;
}

void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t at_ns)
{
    struct loop_timer **link = &loop->timers;

    loop_disarm(loop, timer);
    while (*link && (*link)->at_ns <= at_ns)
        link = &(*link)->next;
    timer->at_ns = at_ns;
    timer->next = *link;
    *link = timer;
}

void loop_disarm(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer **link = &loop->timers;

    if (timer->at_ns == 0)
        return;
    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = timer->next;
    timer->at_ns = 0;
    timer->next = NULL;
}

bool loop_await(struct loop_source *source, uint32_t events, int timeout_ms)
{
    struct pollfd wait = {.fd = source->fd, .events = (short)events}; /* EPOLLOUT is POLLOUT */

    if (poll(&wait, 1, timeout_ms) <= 0)
        return false;
    source->ready(source, (uint32_t)wait.revents);
    return true;
}

static void run_timers(struct loop *loop)
{
    uint64_t now = clock_now_ns();

    while (loop->timers && loop->timers->at_ns <= now) {
        struct loop_timer *timer = loop->timers;

        loop_disarm(loop, timer);
        timer->expired(timer);
    }
}

/*
 * One event a turn, so that what an event's handler closes cannot be named by a later event of the
 * same batch. epoll's ready list goes round: no source starves another.
 */
void loop_turn(struct loop *loop)
{
    int timeout = loop->timers ? clock_ms_until(loop->timers->at_ns) : -1;
    struct epoll_event event;
    int n;

    n = epoll_wait(loop->epoll_fd, &event, 1, timeout);
    if (n > 0) {
        struct loop_source *source = event.data.ptr;

        source->ready(source, event.events);
    } else if (n < 0 && errno != EINTR) {
        struct timespec pause = {.tv_sec = 1};

        /* Cannot happen with a valid epoll; if it does, PID 1 goes on, slowly. */
        kmsg_log(LOG_CRIT, "epoll_wait: errno %d", errno);
        (void)clock_nanosleep(CLOCK_BOOTTIME, 0, &pause, NULL);
    }
    run_timers(loop);
}
