/*
 * silence: a guest that is gone though the end of its connection never came.
 *
 * PID 1 asks its host after 5 s without a word, so a guest that lives is heard. One that is not,
 * for two thirds of timeouts_ms.silence, is asked (PING), for a guest need not ask by itself; one
 * that was not heard for the whole of it has its connection closed: it is gone, or calls again.
 */
#ifndef GUESTLINK_HOSTD_SILENCE_H
#define GUESTLINK_HOSTD_SILENCE_H

#include <systemd/sd-event.h>

struct vm;

struct silence {
    sd_event_source *timer; /* goes off three times in the time that silence is given */
    unsigned quiet;         /* how often it did since the last frame */
};

/* A connection was taken: its silence counts from now on. */
void silence_begin(struct vm *vm);

/* A frame came: costs no system call. */
static inline void silence_break(struct silence *silence)
{
    silence->quiet = 0;
}

void silence_done(struct silence *silence);

#endif
