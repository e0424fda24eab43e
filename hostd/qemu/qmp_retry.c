/* qmp retry: says when to try a socket again: when its file appears, and after growing pauses. */
#include "qmp_retry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

/* QEMU binds first and listens a moment later: connecting at once would be refused. */
#define APPEARED_PAUSE_MS 20u

/* QEMU may make and remove files there without end. A folder of more changes in a second is not
 * watched for a moment, then looked at and watched again. A limit of sd-event's would not do: what
 * it holds back keeps the loop awake. */
#define CHANGES_PER_S     50u
#define RESTLESS_PAUSE_MS 1000u

struct qmp_retry {
    sd_event *event;
    char *directory;
    char *name;
    qmp_retry_fn fn;
    void *userdata;
    sd_event_source *timer;
    sd_event_source *watch; /* of the directory; NULL: it cannot be watched */
    uint64_t second_us;     /* when the second began in which changes are counted; CLOCK_BOOTTIME */
    unsigned changes;
    uint32_t pause_ms;
};

static uint64_t now_us(const struct qmp_retry *retry)
{
    uint64_t now = 0;

    (void)sd_event_now(retry->event, CLOCK_BOOTTIME, &now);
    return now;
}

static void set_timer(struct qmp_retry *retry, uint32_t after_ms)
{
    (void)sd_event_source_set_time(retry->timer, now_us(retry) + (uint64_t)after_ms * 1000);
    (void)sd_event_source_set_enabled(retry->timer, SD_EVENT_ONESHOT);
}

static bool is_restless(struct qmp_retry *retry)
{
    uint64_t now = now_us(retry);

    if (now - retry->second_us >= 1000000) {
        retry->second_us = now;
        retry->changes = 0;
    }
    return retry->changes >= CHANGES_PER_S;
}

/* The timer finds what is missed meanwhile. */
static void look_away(struct qmp_retry *retry)
{
    uint64_t next = 0;

    retry->watch = sd_event_source_disable_unref(retry->watch);
    if (sd_event_source_get_time(retry->timer, &next) >= 0 &&
        next > now_us(retry) + (uint64_t)RESTLESS_PAUSE_MS * 1000)
        set_timer(retry, RESTLESS_PAUSE_MS);
}

static int on_directory(sd_event_source *source, const struct inotify_event *change, void *userdata)
{
    struct qmp_retry *retry = userdata;

    (void)source;
    if (change->mask & IN_IGNORED || is_restless(retry)) /* or the directory went away */
        look_away(retry);
    else if (change->len > 0 && strcmp(change->name, retry->name) == 0)
        set_timer(retry, APPEARED_PAUSE_MS);
    retry->changes++;
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    struct qmp_retry *retry = userdata;

    (void)source;
    (void)now;
    retry->fn(retry->userdata);
    return 0;
}

void qmp_retry_later(struct qmp_retry *retry)
{
    if (!retry->watch && !is_restless(retry) &&
        sd_event_add_inotify(retry->event, &retry->watch, retry->directory,
                             IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR, on_directory,
                             retry) < 0)
        retry->watch = NULL;
    set_timer(retry, retry->pause_ms);
    retry->pause_ms =
        retry->pause_ms * 2 < QMP_RETRY_LAST_MS ? retry->pause_ms * 2 : QMP_RETRY_LAST_MS;
}

void qmp_retry_reset(struct qmp_retry *retry)
{
    retry->pause_ms = QMP_RETRY_FIRST_MS;
    retry->watch = sd_event_source_disable_unref(retry->watch);
    (void)sd_event_source_set_enabled(retry->timer, SD_EVENT_OFF);
}

void qmp_retry_hold(struct qmp_retry *retry, uint32_t ms)
{
    qmp_retry_reset(retry);
    set_timer(retry, ms);
}

int qmp_retry_new(sd_event *event, const char *path, qmp_retry_fn fn, void *userdata,
                  struct qmp_retry **ret_retry)
{
    struct qmp_retry *retry = calloc(1, sizeof(*retry));
    const char *slash = strrchr(path, '/');
    int r = -ENOMEM;

    if (!retry)
        return r;
    retry->event = sd_event_ref(event);
    retry->fn = fn;
    retry->userdata = userdata;
    retry->pause_ms = QMP_RETRY_FIRST_MS;
    retry->name = strdup(slash ? slash + 1 : path);
    retry->directory = slash == path ? strdup("/")
                       : slash       ? strndup(path, (size_t)(slash - path))
                                     : strdup(".");
    if (retry->name && retry->directory)
        r = sd_event_add_time(event, &retry->timer, CLOCK_BOOTTIME, 0, 0, on_timer, retry);
    if (r < 0) {
        (void)qmp_retry_free(retry);
        return r;
    }
    (void)sd_event_source_set_description(retry->timer, "qmp-retry");
    *ret_retry = retry;
    return 0;
}

struct qmp_retry *qmp_retry_free(struct qmp_retry *retry)
{
    if (!retry)
        return NULL;
    sd_event_source_disable_unref(retry->timer);
    sd_event_source_disable_unref(retry->watch);
    sd_event_unref(retry->event);
    free(retry->directory);
    free(retry->name);
    free(retry);
    return NULL;
}
