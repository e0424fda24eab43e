/*
 * qmp: an asynchronous client of QEMU's machine protocol on its Unix socket.
 *
 *     WAITING ── socket appears, or a pause is over ──▶ GREETING ── greeting, qmp_capabilities ──▶
 * UP ▲                                                  │                                      │
 *        └──────────────── no greeting, end
 * ────────────────┴──────────────────────────────────────┘
 *
 * After an end the socket is tried at once: if nobody answers on it, QEMU ended.
 */
#include "qmp.h"

#include "qmp_link.h"
#include "qmp_retry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_SIZE            512u
#define DEADLINE_ACCURACY_US 10000u

struct command {
    struct command *next;
    struct qmp *qmp;
    int64_t id;
    char *name;
    uint32_t timeout_ms;
    sd_event_source *deadline;
    qmp_reply_fn fn;
    void *userdata;
};

struct qmp {
    sd_event *event;
    char *path;
    struct qmp_events events;
    void *userdata;
    struct qmp_link *link;
    struct qmp_retry *retry;
    sd_event_source *greeting_deadline;
    struct command *commands;
    int64_t last_id;
    bool up;
    bool down_told;
    bool lost; /* it was up, and whether QEMU ended or only the connection is not known yet */
};

static int connect_now(struct qmp *qmp);

bool qmp_is_up(const struct qmp *qmp)
{
    return qmp->up;
}

static void command_take(struct command *command)
{
    struct command **position = &command->qmp->commands;

    while (*position != command)
        position = &(*position)->next;
    *position = command->next;
}

/* @param command  no longer on the list; freed */
static void command_finish(struct command *command, const struct qmp_reply *reply)
{
    sd_event_source_disable_unref(command->deadline);
    if (command->fn)
        command->fn(command->userdata, reply);
    free(command->name);
    free(command);
}

/* Only those that are open now: what their callbacks begin is not answered here. */
static void finish_all(struct qmp *qmp, int error, const char *text)
{
    const struct qmp_reply reply = {.error = error, .text = text};
    struct command *command = qmp->commands, *next;

    qmp->commands = NULL;
    for (; command; command = next) {
        next = command->next;
        command_finish(command, &reply);
    }
}

static void tell_down(struct qmp *qmp, bool ended, const char *text)
{
    if (qmp->down_told && !ended)
        return;
    qmp->down_told = true;
    qmp->events.down(qmp->userdata, ended, text);
}

static void tell_unreachable(struct qmp *qmp, int error)
{
    char text[TEXT_SIZE];

    if (error == ENOENT)
        (void)snprintf(
            text, sizeof(text),
            "QMP socket %s is not there: start QEMU with -qmp unix:%s,server=on,wait=off;"
            " trying again when it appears",
            qmp->path, qmp->path);
    else
        (void)snprintf(text, sizeof(text),
                       "QMP socket %s cannot be connected to: %s; is QEMU running? trying again",
                       qmp->path, strerrordesc_np(error));
    tell_down(qmp, false, text);
}

/* What became of the QEMU that we were connected to is known now. */
static void tell_lost(struct qmp *qmp, bool ended, const char *why)
{
    char text[TEXT_SIZE];

    qmp->lost = false;
    (void)snprintf(text, sizeof(text), "QMP socket %s: %s%s", qmp->path, why,
                   ended ? ", and nobody answers there now: QEMU ended" : "");
    tell_down(qmp, ended, text);
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
    qmp->link = qmp_link_free(qmp->link);
    qmp->greeting_deadline = sd_event_source_disable_unref(qmp->greeting_deadline);
    finish_all(qmp, ECONNRESET, why);
    if (was_up) {
        qmp->lost = true;
        qmp_retry_reset(qmp->retry);
        if (connect_now(qmp) == 0)
            return;
        gone = true;
    }
    if (qmp->lost) {
        tell_lost(qmp, gone, why);
    } else {
        (void)snprintf(text, sizeof(text), "QMP socket %s: %s; trying again", qmp->path, why);
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
    if (reply->error) {
        disconnect(qmp, false, reply->text);
        return;
    }
    if (qmp->lost)
        tell_lost(qmp, false, "the connection broke and was made again");
    qmp->greeting_deadline = sd_event_source_disable_unref(qmp->greeting_deadline);
    qmp_retry_reset(qmp->retry);
    qmp->up = true;
    qmp->down_told = false;
    qmp->events.up(qmp->userdata);
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    struct command *command = userdata;
    char text[TEXT_SIZE];
    struct qmp_reply reply = {.error = ETIMEDOUT, .text = text};

    (void)source;
    (void)now;
    (void)snprintf(text, sizeof(text), "QEMU did not answer %s within %u ms", command->name,
                   command->timeout_ms);
    command_take(command);
    command_finish(command, &reply);
    return 0;
}

/* As qmp_execute(), also before it is up. */
static int execute(struct qmp *qmp, const char *name, struct json_object *arguments,
                   uint32_t timeout_ms, qmp_reply_fn fn, void *userdata)
{
    struct command *command = calloc(1, sizeof(*command));
    struct json_object *message = qmp_arguments("execute", json_object_new_string(name), "id",
                                                json_object_new_int64(qmp->last_id + 1), NULL);
    struct command **position = &qmp->commands;
    int r = command && message ? 0 : -ENOMEM;

    if (message && arguments)
        json_object_object_add(message, "arguments", json_object_get(arguments));
    if (r == 0 && !(command->name = strdup(name)))
        r = -ENOMEM;
    if (r == 0)
        r = sd_event_add_time_relative(qmp->event, &command->deadline, CLOCK_BOOTTIME,
                                       (uint64_t)timeout_ms * 1000, DEADLINE_ACCURACY_US,
                                       on_deadline, command);
    if (r == 0)
        r = qmp_link_send(qmp->link, message);
    json_object_put(message);
    json_object_put(arguments);
    if (r < 0) {
        if (command) {
            sd_event_source_disable_unref(command->deadline);
            free(command->name);
        }
        free(command);
        return r;
    }
    command->qmp = qmp;
    command->id = ++qmp->last_id;
    command->timeout_ms = timeout_ms;
    command->fn = fn;
    command->userdata = userdata;
    while (*position)
        position = &(*position)->next;
    *position = command;
    return 0;
}

int qmp_execute(struct qmp *qmp, const char *command, struct json_object *arguments,
                uint32_t timeout_ms, qmp_reply_fn fn, void *userdata)
{
    if (!qmp->up) {
        json_object_put(arguments);
        return -ENOTCONN;
    }
    return execute(qmp, command, arguments, timeout_ms, fn, userdata);
}

static void take_reply(struct qmp *qmp, struct json_object *message, struct json_object *error)
{
    struct qmp_reply reply = {.text = ""};
    struct command *command = qmp->commands;
    struct json_object *item;
    int64_t id;

    if (!json_object_object_get_ex(message, "id", &item))
        return;
    id = json_object_get_int64(item);
    while (command && command->id != id)
        command = command->next;
    if (!command)
        return; /* its deadline was over */
    if (error) {
        reply.error = EREMOTEIO;
        reply.text = json_object_object_get_ex(error, "desc", &item) ? json_object_get_string(item)
                                                                     : "QEMU refused";
    } else {
        (void)json_object_object_get_ex(message, "return", &reply.result);
    }
    command_take(command);
    command_finish(command, &reply);
}

static void on_message(void *userdata, struct json_object *message)
{
    struct qmp *qmp = userdata;
    struct json_object *item, *data = NULL;

    if (json_object_object_get_ex(message, "event", &item)) {
        (void)json_object_object_get_ex(message, "data", &data);
        if (qmp->up)
            qmp->events.event(qmp->userdata, json_object_get_string(item), data);
    } else if (json_object_object_get_ex(message, "QMP", NULL)) {
        if (execute(qmp, "qmp_capabilities", NULL, QMP_GREETING_TIMEOUT_MS, on_capabilities, qmp) <
            0)
            disconnect(qmp, false, "the negotiation could not be sent");
    } else if (json_object_object_get_ex(message, "error", &item)) {
        take_reply(qmp, message, item);
    } else if (json_object_object_get_ex(message, "return", NULL)) {
        take_reply(qmp, message, NULL);
    }
}

static int on_greeting_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)source;
    (void)now;
    disconnect(userdata, false,
               "no greeting within 5 s of connecting: another QMP client is connected to "
               "it (QEMU serves one a socket; give guestlink one of its own with a "
               "second -qmp), or QEMU hangs");
    return 0;
}

static int connect_now(struct qmp *qmp)
{
    int r = qmp_link_new(qmp->event, qmp->path, on_message, on_link_ended, qmp, &qmp->link);

    if (r < 0)
        return r;
    r = sd_event_add_time_relative(qmp->event, &qmp->greeting_deadline, CLOCK_BOOTTIME,
                                   (uint64_t)QMP_GREETING_TIMEOUT_MS * 1000, DEADLINE_ACCURACY_US,
                                   on_greeting_deadline, qmp);
    if (r < 0)
        qmp->link = qmp_link_free(qmp->link);
    return r;
}

static void on_retry(void *userdata)
{
    struct qmp *qmp = userdata;
    int r = qmp->link ? 0 : connect_now(qmp);

    if (r < 0) {
        tell_unreachable(qmp, -r);
        qmp_retry_later(qmp->retry);
    }
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
    finish_all(qmp, ECANCELED, "the daemon lets go of QEMU");
    qmp_link_free(qmp->link);
    qmp_retry_free(qmp->retry);
    sd_event_source_disable_unref(qmp->greeting_deadline);
    sd_event_unref(qmp->event);
    free(qmp->path);
    free(qmp);
    return NULL;
}

struct json_object *qmp_arguments(const char *key, ...)
{
    struct json_object *object = json_object_new_object();
    va_list list;

    va_start(list, key);
    for (; key; key = va_arg(list, const char *)) {
        struct json_object *value = va_arg(list, struct json_object *);

        if (!object || json_object_object_add(object, key, value) < 0)
            json_object_put(value);
    }
    va_end(list);
    return object;
}

struct json_object *qmp_strings(const char *key, ...)
{
    struct json_object *object = json_object_new_object();
    va_list list;

    va_start(list, key);
    for (; object && key; key = va_arg(list, const char *))
        (void)json_object_object_add(object, key,
                                     json_object_new_string(va_arg(list, const char *)));
    va_end(list);
    return object;
}
