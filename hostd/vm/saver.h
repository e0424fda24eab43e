/*
 * saver: when something that changes is written down: at the end of this turn of the loop, as often
 * as LIMITS_SAVES_BURST lets it, or after LIMITS_SAVE_DELAY_MS.
 */
#ifndef GUESTLINK_HOSTD_SAVER_H
#define GUESTLINK_HOSTD_SAVER_H

#include "base/rate.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct saver {
    sd_event *event;
    void (*save)(void *userdata); /* writes it; from the event loop, or saver_flush() */
    void *userdata;
    sd_event_source *timer;
    struct rate rate; /* of those that do not wait */
    bool now;         /* at the end of this turn of the loop */
};

void saver_now(struct saver *saver);
void saver_soon(struct saver *saver);
/* Writes it if it is to be written. */
void saver_flush(struct saver *saver);
void saver_done(struct saver *saver);

#endif
