/*
 * qmp: an asynchronous client of QEMU's machine protocol on its Unix socket.
 *
 *     waiting   a pause is over, or the socket appears: it is connected to; then
 *     greeting  its greeting came, and the answer to qmp_capabilities; then
 *     up        until the connection ends; as from greeting, the way leads back to waiting
 *
 * After an end the socket is tried at once: if nobody answers on it, QEMU ended.
 *
 * A peer that sends out of turn, or sends no QMP message, is disconnected.
 */
#include "qmp.h"

#include "base/json.h"
#include "base/json_link.h"
#include "base/qemu_version.h"
#include "base/qmp_socket.h"
#include "qmp_command.h"
#include "qmp_reader.h"
#include "qmp_retry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_SIZE            512u
#define DEADLINE_ACCURACY_US 10000u

#define NOT_QMP "the program listening there does not speak QMP"

#define ENDED ", and nothing answers there now: QEMU exited"

/* %s: what is wrong with the socket. */
#define REFUSED                                                                                    \
    "%s, so it may lead to another VM; will retry; restart the VM (its guest may have taken "      \
    "over QEMU), or fix \"qmp\" of its \"device_host\""

struct qmp {
    sd_event *event;
    char *path;
    struct qmp_events events;
    void *userdata;
    struct json_link *link;
    struct qmp_retry *retry;
    sd_event_source *greeting_deadline;
    struct qmp_commands commands;
    uid_t uid; /* of the socket that the link is connected to */
    gid_t gid;
    char version[QEMU_VERSION_SIZE];
    uint64_t up_us; /* since when; CLOCK_BOOTTIME */
    unsigned unsteady;
    bool greeted;
    bool up;
    bool down_told, absent_told;
    bool absent; /* nobody listens there; else that it is not up says little of QEMU */
    bool lost;   /* it was up, and whether QEMU ended or only the connection is not known yet */
    char lost_text[TEXT_SIZE]; /* how that connection ended */
};

static int connect_now(struct qmp *qmp, const char **ret_problem);

bool qmp_is_up(const struct qmp *qmp)
{
    return qmp->up;
}

bool qmp_owner(const struct qmp *qmp, uid_t *ret_uid, gid_t *ret_gid)
{
    if (!qmp->up)
        return false;
    *ret_uid = qmp->uid;
    *ret_gid = qmp->gid;
    return true;
}

const char *qmp_version(const struct qmp *qmp)
{
    return qmp->up ? qmp->version : "";
}

bool qmp_is_absent(const struct qmp *qmp)
{
    return qmp->absent;
}

static void tell_down(struct qmp *qmp, bool ended, const char *text)
{
    bool absent = qmp->absent && !qmp->absent_told;

    if (qmp->down_told && !absent && !ended)
        return;
    if (ended)
        qmp->lost = false;
    qmp->down_told = true;
    qmp->absent_told = qmp->absent;
    qmp->events.down(qmp->userdata, ended, text);
}

static void tell_unreachable(struct qmp *qmp, int error, const char *problem)
{
    char text[TEXT_SIZE];

    if (error == ENOENT)
        (void)snprintf(
            text, sizeof(text),
            "QMP socket %s does not exist: start QEMU with -qmp unix:%s,server=on,wait=off; "
            "will retry when it appears",
            qmp->path, qmp->path);
    else if (error == EPERM)
        (void)snprintf(text, sizeof(text), "cannot connect to QMP socket %s: " REFUSED, qmp->path,
                       problem);
    else
        (void)snprintf(text, sizeof(text),
                       "cannot connect to QMP socket %s: %s; will retry; is QEMU running?",
                       qmp->path, strerrordesc_np(error));
    tell_down(qmp, false, text);
}

/* What became of the QEMU that we were connected to is known now: @p then, of which a person reads
 * behind how that connection ended. */
__attribute__((format(printf, 3, 4))) static void tell_lost(struct qmp *qmp, bool ended,
                                                            const char *then, ...)
{
    char text[TEXT_SIZE * 3];
    int size = snprintf(text, sizeof(text), "QMP socket %s: %s", qmp->path, qmp->lost_text);
    va_list arguments;

    va_start(arguments, then);
    (void)vsnprintf(text + size, sizeof(text) - (size_t)size, then, arguments);
    va_end(arguments);
    tell_down(qmp, ended, text);
}

static uint64_t now_us(const struct qmp *qmp)
{
    uint64_t now = 0;

    (void)sd_event_now(qmp->event, CLOCK_BOOTTIME, &now);
    return now;
}

/* @return the pause before the next connection, after one that was up */
static uint32_t pause_after(struct qmp *qmp)
{
    uint32_t pause_ms = QMP_UNSTEADY_FIRST_MS;

    if (now_us(qmp) - qmp->up_us >= (uint64_t)QMP_STEADY_MS * 1000)
        qmp->unsteady = 0;
    else
        qmp->unsteady++;
    if (qmp->unsteady <= QMP_UNSTEADY_MAX)
        return 0;
    for (unsigned i = QMP_UNSTEADY_MAX + 1; i < qmp->unsteady && pause_ms < QMP_UNSTEADY_LAST_MS;
         i++)
        pause_ms *= 2;
    return pause_ms < QMP_UNSTEADY_LAST_MS ? pause_ms : QMP_UNSTEADY_LAST_MS;
}

/* It could not be connected to; what the reason says of QEMU: nothing, but that nobody listens. */
static void wait_after(struct qmp *qmp, int r, const char *problem)
{
    qmp->absent = r == -ENOENT || r == -ECONNREFUSED;
    if (!qmp->lost)
        tell_unreachable(qmp, -r, problem);
    else if (qmp->absent)
        tell_lost(qmp, true, ENDED);
    else if (problem)
        tell_lost(qmp, false, ", and cannot reconnect: " REFUSED, problem);
    else
        tell_lost(qmp, false, ", and cannot reconnect: %s; will retry", strerrordesc_np(-r));
    qmp_retry_later(qmp->retry);
}

/* It was up: retry at once, if it is not unsteady. */
static void lose(struct qmp *qmp, const char *why)
{
    const char *problem = NULL;
    uint32_t pause_ms = pause_after(qmp);
    int r;

    qmp->lost = true;
    (void)snprintf(qmp->lost_text, sizeof(qmp->lost_text), "%s", why);
    qmp_retry_reset(qmp->retry);
    if (pause_ms > 0) {
        qmp_retry_hold(qmp->retry, pause_ms);
        return;
    }
    r = connect_now(qmp, &problem);
    if (r < 0)
        wait_after(qmp, r, problem);
}

/*
 * Lets go of the connection and tries again.
 *
 * @param gone  the other side closed it, so that it may be QEMU's end. A dying QEMU closes one
 *              socket after the other: that one can be connected to says little, its greeting all.
 */
static void disconnect(struct qmp *qmp, bool gone, const char *why)
{
    bool was_up = qmp->up;
    char text[TEXT_SIZE];

    qmp->up = false;
    qmp->link = json_link_free(qmp->link);
    qmp->greeting_deadline = sd_event_source_disable_unref(qmp->greeting_deadline);
    qmp_commands_finish(&qmp->commands, ECONNRESET, why);
    if (was_up) {
        lose(qmp, why);
        return;
    }
    if (qmp->lost && gone) {
        tell_lost(qmp, true, ENDED);
    } else if (qmp->lost) {
        tell_lost(qmp, false, "; then: %s; will retry", why);
    } else {
        (void)snprintf(text, sizeof(text), "QMP socket %s: %s; will retry", qmp->path, why);
        tell_down(qmp, false, text);
    }
    qmp_retry_later(qmp->retry);
}

static void on_link_ended(void *userdata, bool gone, const char *text)
{
    disconnect(userdata, gone, text);
}

static void on_capabilities(void *userdata, const struct qmp_reply *reply)
{
    struct qmp *qmp = userdata;

    if (reply->error == ECONNRESET || reply->error == ECANCELED)
        return;
    if (reply->error || !qmp_reader_is_object(reply->result)) {
        disconnect(qmp, false,
                   reply->error ? reply->text : NOT_QMP " (an answer that is not an object)");
        return;
    }
    if (qmp->lost)
        tell_lost(qmp, false, "; reconnected");
    qmp->greeting_deadline = sd_event_source_disable_unref(qmp->greeting_deadline);
    qmp_retry_reset(qmp->retry);
    qmp->up = true;
    qmp->up_us = now_us(qmp);
    qmp->lost = qmp->down_told = qmp->absent_told = false;
    qmp->events.up(qmp->userdata);
}

int qmp_execute(struct qmp *qmp, const char *command, struct json_object *arguments,
                uint32_t timeout_ms, qmp_reply_fn fn, void *userdata)
{
    if (!qmp->up) {
        json_object_put(arguments);
        return -ENOTCONN;
    }
    return qmp_commands_send(&qmp->commands, qmp->event, qmp->link, command, arguments, timeout_ms,
                             fn, userdata);
}

static const char *take_event(struct qmp *qmp, struct json_object *message)
{
    const char *name = qmp_reader_text(json_member(message, "event"));
    struct json_object *data = NULL;

    if (!name || (qmp_reader_has(message, "data", &data) && !qmp_reader_is_object(data)))
        return "an event without a name, or with data that is not an object";
    if (qmp->up)
        qmp->events.event(qmp->userdata, name, data);
    return NULL;
}

static const char *take_greeting(struct qmp *qmp, struct json_object *message)
{
    if (qmp->greeted || !qmp_reader_is_object(json_member(message, "QMP")))
        return "a second greeting, or none";
    qmp->greeted = true;
    qemu_version_read(message, qmp->version);
    if (qmp_commands_send(&qmp->commands, qmp->event, qmp->link, "qmp_capabilities", NULL,
                          QMP_GREETING_TIMEOUT_MS, on_capabilities, qmp) < 0)
        disconnect(qmp, false, "cannot send qmp_capabilities");
    return NULL;
}

static void on_message(void *userdata, struct json_object *message)
{
    struct qmp *qmp = userdata;
    struct json_object *error;
    const char *problem = "an unknown message";
    char text[TEXT_SIZE];

    if (qmp_reader_has(message, "event", NULL))
        problem = take_event(qmp, message);
    else if (qmp_reader_has(message, "QMP", NULL))
        problem = take_greeting(qmp, message);
    else if (qmp_reader_has(message, "error", &error))
        problem = qmp_reader_is_object(error) ? qmp_commands_answer(&qmp->commands, message, error)
                                              : "an error that is not an object";
    else if (qmp_reader_has(message, "return", NULL))
        problem = qmp_commands_answer(&qmp->commands, message, NULL);
    if (!problem)
        return;
    (void)snprintf(text, sizeof(text), NOT_QMP " (%s)", problem);
    disconnect(qmp, false, text);
}

static int on_greeting_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)source;
    (void)now;
    disconnect(userdata, false,
               "no greeting within 5 s of connecting: another QMP client is connected (QEMU "
               "serves one a socket; give guestlink its own with a second -qmp), or QEMU hangs");
    return 0;
}

/* @param ret_problem  as qmp_socket_connect() */
static int connect_now(struct qmp *qmp, const char **ret_problem)
{
    static const struct json_link_peer peer = {
        .name = "QEMU",
        .nonsense = NOT_QMP " (a line is not a JSON object)",
    };
    struct qmp_socket socket;
    int r = qmp_socket_connect(qmp->path, &socket, ret_problem);

    if (r < 0)
        return r;
    r = json_link_new(qmp->event, socket.fd, &peer, on_message, on_link_ended, qmp, &qmp->link);
    if (r < 0)
        return r;
    qmp->uid = socket.uid;
    qmp->gid = socket.gid;
    qmp->greeted = qmp->absent = false;
    r = sd_event_add_time_relative(qmp->event, &qmp->greeting_deadline, CLOCK_BOOTTIME,
                                   (uint64_t)QMP_GREETING_TIMEOUT_MS * 1000, DEADLINE_ACCURACY_US,
                                   on_greeting_deadline, qmp);
    if (r < 0)
        qmp->link = json_link_free(qmp->link);
    return r;
}

static void on_retry(void *userdata)
{
    struct qmp *qmp = userdata;
    const char *problem = NULL;
    int r = qmp->link ? 0 : connect_now(qmp, &problem);

    if (r < 0)
        wait_after(qmp, r, problem);
}

int qmp_new(sd_event *event, const char *path, const struct qmp_events *events, void *userdata,
            struct qmp **ret_qmp)
{
    struct qmp *qmp = calloc(1, sizeof(*qmp));
    int r = -ENOMEM;

    if (!qmp)
        return r;
    qmp->event = sd_event_ref(event);
    qmp->path = strdup(path);
    qmp->events = *events;
    qmp->userdata = userdata;
    if (qmp->path)
        r = qmp_retry_new(event, path, on_retry, qmp, &qmp->retry);
    if (r < 0) {
        (void)qmp_free(qmp);
        return r;
    }
    *ret_qmp = qmp;
    return 0;
}

struct qmp *qmp_free(struct qmp *qmp)
{
    if (!qmp)
        return NULL;
    qmp->up = false;
    qmp_commands_finish(&qmp->commands, ECANCELED, "the daemon releases QEMU");
    json_link_free(qmp->link);
    qmp_retry_free(qmp->retry);
    sd_event_source_disable_unref(qmp->greeting_deadline);
    sd_event_unref(qmp->event);
    free(qmp->path);
    free(qmp);
    return NULL;
}
