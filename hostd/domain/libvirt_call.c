/* libvirt call: the calls that wait for guestlink-libvirt's answers, each with its deadline. */
#include "libvirt_call.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_ACCURACY_US 10000u

struct libvirt_open_call {
    struct libvirt_open_call *next;
    struct libvirt_calls *calls;
    const void *owner;
    int64_t id;
    const char *call;
    uint32_t timeout_ms;
    sd_event_source *deadline;
    libvirt_reply_fn fn;
    void *userdata;
};

static void destroy(struct libvirt_open_call *call)
{
    if (!call)
        return;
    sd_event_source_disable_unref(call->deadline);
    free(call);
}

/* Takes it off the list, and ends it. */
static void finish(struct libvirt_open_call *call, const struct libvirt_reply *reply)
{
    struct libvirt_open_call **position = &call->calls->first;

    while (*position != call)
        position = &(*position)->next;
    *position = call->next;
    if (call->fn)
        call->fn(call->userdata, reply);
    destroy(call);
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    struct libvirt_open_call *call = userdata;
    char text[LIMITS_TEXT];

    (void)source;
    (void)now;
    (void)snprintf(text, sizeof(text), "libvirt did not answer %s within %u ms", call->call,
                   call->timeout_ms);
    finish(call, &(struct libvirt_reply){.error = ETIMEDOUT, .text = text});
    return 0;
}

int libvirt_calls_send(struct libvirt_calls *calls, sd_event *event, struct json_link *link,
                       const void *owner, const char *name, const char *domain,
                       struct json_object *arguments, uint32_t timeout_ms, libvirt_reply_fn fn,
                       void *userdata)
{
    struct libvirt_open_call *call = calloc(1, sizeof(*call));
    struct json_object *message = arguments ? arguments : json_object_new_object();
    struct libvirt_open_call **position = &calls->first;
    int r = call && message ? 0 : -ENOMEM;

    if (message) {
        json_add_number(message, "id", (uint64_t)calls->last_id + 1);
        json_add_text(message, "call", name);
        if (domain)
            json_add_text(message, "domain", domain);
    }
    if (r == 0)
        r = sd_event_add_time_relative(event, &call->deadline, CLOCK_BOOTTIME,
                                       (uint64_t)timeout_ms * 1000, DEADLINE_ACCURACY_US,
                                       on_deadline, call);
    if (r >= 0)
        r = json_link_send(link, message);
    json_object_put(message);
    if (r < 0) {
        destroy(call);
        return r;
    }
    call->calls = calls;
    call->owner = owner;
    call->id = ++calls->last_id;
    call->call = name;
    call->timeout_ms = timeout_ms;
    call->fn = fn;
    call->userdata = userdata;
    while (*position)
        position = &(*position)->next;
    *position = call;
    return 0;
}

const char *libvirt_calls_answer(struct libvirt_calls *calls, struct json_object *message)
{
    struct json_object *error = json_member(message, "error"), *words = json_member(error, "text");
    struct libvirt_open_call *call = calls->first;
    struct libvirt_reply reply = {.text = "", .result = json_member(message, "result")};
    char text[LIMITS_TEXT * 2];
    int64_t id;

    if (!json_as_number(json_member(message, "id"), &id) || id < 1 || id > calls->last_id)
        return "an answer without a question";
    if (error) {
        if (!json_as_words(words, text, sizeof(text)) ||
            !json_as_number(json_member(error, "code"), &reply.code))
            return "an error without a code and a description";
        reply = (struct libvirt_reply){.error = EREMOTEIO, .code = reply.code, .text = text};
    }
    while (call && call->id != id)
        call = call->next;
    if (call) /* else its deadline is over */
        finish(call, &reply);
    return NULL;
}

/* @param owner  NULL: anybody's */
static struct libvirt_open_call *first_of(const struct libvirt_calls *calls, const void *owner)
{
    struct libvirt_open_call *call = calls->first;

    while (call && owner && call->owner != owner)
        call = call->next;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): finish() took the freed ones off the list */
    return call;
}

void libvirt_calls_finish(struct libvirt_calls *calls, const void *owner, int error,
                          const char *text)
{
    const struct libvirt_reply reply = {.error = error, .text = text};
    struct libvirt_open_call *call;

    while ((call = first_of(calls, owner)))
        finish(call, &reply);
}
