/*
 * qmp retry: says when to try a socket again: when its file appears, and after growing pauses.
 */
#ifndef GUESTLINK_HOSTD_QMP_RETRY_H
#define GUESTLINK_HOSTD_QMP_RETRY_H

#include <stdint.h>
#include <systemd/sd-event.h>

#define QMP_RETRY_FIRST_MS 100u
/* The longest pause: for directories that cannot be watched (not there yet, a network's). */
#define QMP_RETRY_LAST_MS 10000u

struct qmp_retry;

typedef void (*qmp_retry_fn)(void *userdata);

/* @p fn comes first at once (in the loop's next turn), then only after qmp_retry_later(). */
int qmp_retry_new(sd_event *event, const char *path, qmp_retry_fn fn, void *userdata,
                  struct qmp_retry **ret_retry);
struct qmp_retry *qmp_retry_free(struct qmp_retry *retry);

/* Try again when the file appears, or after a pause twice as long as the last. */
void qmp_retry_later(struct qmp_retry *retry);

/* Try again after @p ms, whatever appears meanwhile. */
void qmp_retry_hold(struct qmp_retry *retry, uint32_t ms);

/* It worked: stop waiting, and begin with the shortest pause the next time. */
void qmp_retry_reset(struct qmp_retry *retry);

#endif
