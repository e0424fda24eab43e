/* saver: when something that changes is written down. */
#include "saver.h"

#include "base/clock.h"
#include "base/limits.h"

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct saver *saver = userdata;

    (void)source;
    (void)at_us;
    saver->now = false;
    saver->save(saver->userdata);
    return 0;
}

static bool is_pending(const struct saver *saver)
{
    return saver->timer && sd_event_source_get_enabled(saver->timer, NULL) > 0;
}

void saver_now(struct saver *saver)
{
    if (saver->now)
        return;
    saver->now =
        rate_allow(&saver->rate, clock_now_us(), LIMITS_SAVES_IN_1000_S, LIMITS_SAVES_BURST);
    if (saver->now)
        (void)clock_arm(saver->event, &saver->timer, 0, on_timer, saver);
    else
        saver_soon(saver);
}

void saver_soon(struct saver *saver)
{
    if (!is_pending(saver))
        (void)clock_arm(saver->event, &saver->timer, LIMITS_SAVE_DELAY_MS, on_timer, saver);
}

void saver_flush(struct saver *saver)
{
    if (!is_pending(saver))
        return;
    clock_disarm(saver->timer);
    (void)on_timer(saver->timer, 0, saver);
}

void saver_done(struct saver *saver)
{
    saver->timer = sd_event_source_disable_unref(saver->timer);
}
