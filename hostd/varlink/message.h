/*
 * varlink message: the bytes of the Varlink protocol (https://varlink.org), without any I/O.
 *
 * A message is one JSON object and a NUL behind it.
 */
#ifndef GUESTLINK_HOSTD_VARLINK_MESSAGE_H
#define GUESTLINK_HOSTD_VARLINK_MESSAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes of one message to us: the longest is the words of a command, one guest frame's worth, each
 * byte of which JSON may write as `\u001b`; and what stands around them. */
#define VARLINK_MESSAGE_BYTES ((size_t)6 * 64 * 1024 + 4096)

struct varlink_message {
    struct json_object *root;       /* owns the rest */
    const char *method;             /* "io.guestlink.List" */
    struct json_object *parameters; /* an object; NULL if there are none */
    bool more, oneway, upgrade;
};

#define VARLINK_MESSAGE_NULL ((struct varlink_message){0})

enum {
    VARLINK_MESSAGE_E_MALFORMED = 1, /* not a call: the sender does not speak Varlink */
};

/*
 * Reads one call.
 *
 * @param text  NUL-terminated, @p size bytes without the NUL
 * @return 0 with a message for varlink_message_done(), or VARLINK_MESSAGE_E_MALFORMED
 */
int varlink_message_parse(const char *text, size_t size, struct varlink_message *ret_message);

/* Frees what it holds; an empty one is fine. */
void varlink_message_done(struct varlink_message *message);

/*
 * Makes a reply.
 *
 * @param error       "org.varlink.service.MethodNotFound", or NULL
 * @param parameters  an object, or NULL for none; not consumed
 * @return the object, the caller's; NULL: no memory
 */
struct json_object *varlink_message_reply(const char *error, struct json_object *parameters,
                                          bool continues);

#endif
