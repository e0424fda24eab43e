/*
 * loop: the one place where PID 1 waits.
 *
 * Sources (a file descriptor and what to do when it is ready) and timers (an absolute time and what
 * to do then). Both are embedded in what they belong to; the loop allocates nothing and owns none.
 */
#ifndef GUESTLINK_INIT_LOOP_H
#define GUESTLINK_INIT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* The struct that has @p member at @p pointer. */
#define LOOP_OWNER(pointer, type, member)                                                          \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct loop_source {
    int fd;          /* -1: not in use */
    uint32_t events; /* what it is watched for; 0: not watched */
    void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop_timer {
    uint64_t at_ns; /* CLOCK_BOOTTIME; 0: not armed */
    void (*expired)(struct loop_timer *timer);
    struct loop_timer *next;
};

struct loop {
    int epoll_fd;
    struct loop_timer *timers; /* armed ones, the earliest first */
};

/* @return 0 or a negative errno */
int loop_init(struct loop *loop);

/* Watches source->fd for EPOLL… @p events. @return 0 or a negative errno */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);

/* Changes what a source is watched for, 0 for nothing; no system call if nothing changes. */
void loop_watch(struct loop *loop, struct loop_source *source, uint32_t events);

/* Stops watching, closes the descriptor, and sets it to -1. Nothing if it is -1 already. */
void loop_close(struct loop *loop, struct loop_source *source);

/* Arms a timer, or arms it again. @param at_ns CLOCK_BOOTTIME, not 0 */
void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t at_ns);

void loop_disarm(struct loop *loop, struct loop_timer *timer);

/*
 * Waits for @p source alone, which the loop does not watch: for what comes before all else, and
 * cheaper than a turn.
 *
 * @param events  EPOLL…
 * @return true: it was ready, and ran; false: not in @p timeout_ms
 */
bool loop_await(struct loop_source *source, uint32_t events, int timeout_ms);

/* Waits for the next source or timer and lets it run. */
void loop_turn(struct loop *loop);

#endif
