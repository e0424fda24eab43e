/*
 * qmp: an asynchronous client of QEMU's machine protocol (QEMU's docs/interop/qmp-spec) on its Unix
 * socket, for as long as the client lives: it connects, and connects again when the socket is back.
 */
#ifndef GUESTLINK_HOSTD_QMP_H
#define GUESTLINK_HOSTD_QMP_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* From the connection to the end of the negotiation. QEMU serves one client a socket and leaves
 * another one waiting without a word: this is how that is noticed. */
#define QMP_GREETING_TIMEOUT_MS 5000u

/* A connection that was up for less than this was unsteady. After a few of them in a row there is a
 * pause before the next, each twice as long: what a VM does again each time (devices, what serves
 * shares, lines of the log) QEMU cannot have done without end. */
#define QMP_STEADY_MS         10000u
#define QMP_UNSTEADY_MAX      4u
#define QMP_UNSTEADY_FIRST_MS 1000u
#define QMP_UNSTEADY_LAST_MS  10000u

struct qmp;

/* The answer to a command. */
struct qmp_reply {
    int error;                  /* 0; EREMOTEIO: QEMU said no; ETIMEDOUT; ECONNRESET: QEMU or the
                                   connection ended; ECANCELED: qmp_free() */
    const char *text;           /* QEMU's own words, cleaned, or what happened; "" if error is 0 */
    struct json_object *result; /* borrowed; NULL if error is not 0; see qmp_reader.h */
};

typedef void (*qmp_reply_fn)(void *userdata, const struct qmp_reply *reply);

struct qmp_events {
    void (*up)(void *userdata);
    /* @p ended: it was up, and nobody listens there any more, so QEMU ended. Told once until it is
     * up again; and once more if it turns out then that nobody listens. */
    void (*down)(void *userdata, bool ended, const char *text);
    /* An event of QEMU's; @p data is an object, borrowed, or NULL. See qmp_reader.h. */
    void (*event)(void *userdata, const char *name, struct json_object *data);
};

/*
 * Begins to connect to @p path (copied).
 *
 * @return 0 or -errno
 */
int qmp_new(sd_event *event, const char *path, const struct qmp_events *events, void *userdata,
            struct qmp **ret_qmp);

/* Answers the open commands with ECANCELED; none of the events comes any more. @return NULL */
struct qmp *qmp_free(struct qmp *qmp);

bool qmp_is_up(const struct qmp *qmp);

/* True if nobody listens at its socket, or there is none. Else, if it is not up, its QEMU may live:
 * it serves another client, or something is wrong with the socket or this host. */
bool qmp_is_absent(const struct qmp *qmp);

/* Whose socket it is connected to, if it is up: QEMU's user. @return false if it is not up */
bool qmp_owner(const struct qmp *qmp, uid_t *ret_uid, gid_t *ret_gid);

/* Which QEMU it is: "10.0"; "" if it is not up, or did not say. */
const char *qmp_version(const struct qmp *qmp);

/*
 * Sends a command.
 *
 * @param arguments   consumed (put) whatever happens; NULL for none
 * @param timeout_ms  for the answer
 * @param fn          called exactly once, from the event loop or from qmp_free(); NULL if nobody
 *                    wants to know
 * @return 0; -ENOTCONN if it is not up; -ENOMEM; -ENOBUFS if QEMU does not read
 */
int qmp_execute(struct qmp *qmp, const char *command, struct json_object *arguments,
                uint32_t timeout_ms, qmp_reply_fn fn, void *userdata);

#endif
