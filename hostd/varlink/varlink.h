/*
 * varlink: a server of the Varlink protocol for accepted connections, on the event loop.
 *
 * The calls of one connection are answered one after the other. org.varlink.service is answered
 * here; the methods of one interface of the caller's are looked up in its table.
 */
#ifndef GUESTLINK_HOSTD_VARLINK_H
#define GUESTLINK_HOSTD_VARLINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* People with their terminals, and monitoring; each holds at most the bytes below. */
#define VARLINK_CONNECTIONS 64u
/* Bytes of replies that wait for one client; 1,000 VMs in one list are a third of it. */
#define VARLINK_OUTPUT_BYTES ((size_t)4 * 1024 * 1024)
/* Above this a stream of replies should pause, see varlink_call_is_full(). */
#define VARLINK_OUTPUT_FULL ((size_t)128 * 1024)
/* Nothing asked, half a message, or replies not read for so long: the connection is closed. */
#define VARLINK_IDLE_MS 30000u

struct varlink;
struct varlink_call;

/* Answers by varlink_call_reply() or varlink_call_fail(), now or later.
 * @param parameters  an object, good until this returns */
typedef void (*varlink_method_fn)(void *userdata, struct varlink_call *call,
                                  struct json_object *parameters);

enum varlink_answer {
    VARLINK_ONE,
    VARLINK_STREAM,  /* for callers that say `more` alone */
    VARLINK_UPGRADE, /* varlink_call_upgrade(): for callers that say `upgrade` alone */
};

struct varlink_method {
    const char *name; /* "List" */
    varlink_method_fn fn;
    enum varlink_answer answer;
};

struct varlink_interface {
    const char *vendor, *product, *version, *url; /* of the service */
    const char *name;                             /* "io.guestlink" */
    const char *description;                      /* in Varlink's interface language */
    const struct varlink_method *methods;
    size_t method_count;
};

/* @param interface  must outlive the server. @return 0 or -ENOMEM */
int varlink_new(sd_event *event, const struct varlink_interface *interface, void *userdata,
                struct varlink **ret_varlink);

/* Closes every connection; open calls are told by their closed function. @return NULL */
struct varlink *varlink_free(struct varlink *varlink);

/* Serves a connection. @param fd  consumed whatever happens. @return 0, -EUSERS or -errno */
int varlink_consume_connection(struct varlink *varlink, int fd);

/*
 * Answers a call. After the last reply (@p continues false) the call is gone.
 *
 * @param parameters  consumed; NULL for none
 */
void varlink_call_reply(struct varlink_call *call, struct json_object *parameters, bool continues);

/* As varlink_call_reply() with continues, of one member whose value is JSON text already. */
void varlink_call_reply_member(struct varlink_call *call, const char *key, const char *value,
                               size_t size);

/* Answers with an error, "io.guestlink.NoSuchVm"; the call is gone. @param parameters  consumed */
void varlink_call_fail(struct varlink_call *call, const char *error,
                       struct json_object *parameters);

/* org.varlink.service.InvalidParameter; the call is gone. */
void varlink_call_invalid(struct varlink_call *call, const char *parameter);

/*
 * Answers without parameters, after which the connection speaks another protocol: its bytes both
 * ways are the caller's. The call is gone.
 *
 * @return the connection, non-blocking, the caller's; or -errno: it is being closed
 */
int varlink_call_upgrade(struct varlink_call *call);

/* True if the client reads too slowly for more now. */
bool varlink_call_is_full(const struct varlink_call *call);

/*
 * For a call that is answered later: @p closed is called if its client goes away before that, and
 * @p drained whenever varlink_call_is_full() was true and no longer is; either may be NULL.
 */
void varlink_call_watch(struct varlink_call *call, void (*closed)(void *userdata),
                        void (*drained)(void *userdata), void *userdata);

#endif
