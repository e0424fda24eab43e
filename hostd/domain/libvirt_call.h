/*
 * libvirt call: the calls that wait for guestlink-libvirt's answers, each with its deadline.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_LIBVIRT_CALL_H
#define GUESTLINK_HOSTD_DOMAIN_LIBVIRT_CALL_H

#include "base/json_link.h"
#include "libvirt.h"

struct libvirt_open_call;

struct libvirt_calls {
    struct libvirt_open_call *first;
    int64_t last_id;
};

/* As libvirt_call(). @param owner  whose call it is, for libvirt_calls_cancel() */
int libvirt_calls_send(struct libvirt_calls *calls, sd_event *event, struct json_link *link,
                       const void *owner, const char *call, const char *domain,
                       struct json_object *arguments, uint32_t timeout_ms, libvirt_reply_fn fn,
                       void *userdata);

/* Passes on an answer. @return NULL, or what is wrong with it */
const char *libvirt_calls_answer(struct libvirt_calls *calls, struct json_object *message);

/* Ends all calls of @p owner, or (NULL) all. */
void libvirt_calls_finish(struct libvirt_calls *calls, const void *owner, int error,
                          const char *text);

#endif
