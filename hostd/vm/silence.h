/*
 * silence: a guest that is gone though the end of its connection never came.
 *
 * PID 1 asks its host after 5 s without a word, so a guest that lives is heard. One that is not,
 * for two thirds of the time that silence is given, is asked, for a guest need not ask by itself;
 * one that was not heard for the whole of it is gone, or calls again.
 */
#ifndef GUESTLINK_HOSTD_SILENCE_H
#define GUESTLINK_HOSTD_SILENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* What it needs to know and to have done; called from the loop. */
struct silence_events {
    uint32_t (*timeout_ms)(void *userdata); /* what silence is given; 0: nobody is listened to */
    bool (*is_held_back)(void *userdata);   /* the guest may not speak now */
    void (*ask)(void *userdata);
    void (*tick)(void *userdata); /* goes off three times in that time; or NULL */
    void (*over)(void *userdata); /* it was silent for all of that time */
};

struct silence {
    const struct silence_events *events;
    void *userdata;
    sd_event_source *timer; /* goes off three times in the time that silence is given */
    unsigned quiet;         /* how often it did since the last frame */
};

/* A connection was taken: its silence counts from now on. @param events  static */
void silence_begin(struct silence *silence, sd_event *event, const struct silence_events *events,
                   void *userdata);

/* A frame came: costs no system call. */
static inline void silence_break(struct silence *silence)
{
    silence->quiet = 0;
}

void silence_done(struct silence *silence);

#endif
