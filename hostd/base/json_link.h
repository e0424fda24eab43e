/*
 * json link: one connection to a peer that may lie (QEMU by its QMP socket, guestlink-libvirt), as
 * lines of JSON in and out.
 */
#ifndef GUESTLINK_HOSTD_JSON_LINK_H
#define GUESTLINK_HOSTD_JSON_LINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* Bytes of one line from the peer. QEMU's `query-qmp-schema`, the longest answer known, has 170
 * KiB. */
#define JSON_LINK_LINE_MAX ((size_t)1024 * 1024)

/* Bytes that wait for the peer to read them: it answers within milliseconds or has a problem. */
#define JSON_LINK_OUTPUT_MAX ((size_t)256 * 1024)

/* What one line may be made of, counted as its braces, brackets and commas, for a value is much
 * larger in memory than on the line (`{}` 300 times). A machine's list of devices has hundreds. */
#define JSON_LINK_VALUES_MAX 16384u

/* A peer is heard so often in a second, and so many bytes each time; what it says beyond waits. It
 * says one line for each command of ours, some dozens at a guest's start. One that talks without
 * end then costs the daemon some hundredths of a processor, and no other VM its turn. */
#define JSON_LINK_TURNS_PER_S 250u
#define JSON_LINK_TURN_BYTES  4096u

struct json_link;

/* What a connection is called where it fails; the texts outlive the link. */
struct json_link_peer {
    const char *name;     /* "QEMU" */
    const char *nonsense; /* what is said of a line that is no JSON object */
};

/* @p message is borrowed. */
typedef void (*json_link_message_fn)(void *userdata, struct json_object *message);
/* The connection ended; the link is then only good for json_link_free(), which the callee may call.
 * @p gone: the other side closed it; else what it sent cannot be used. @p text says why. */
typedef void (*json_link_ended_fn)(void *userdata, bool gone, const char *text);

/* @param fd  connected, non-blocking; consumed whatever happens. @return 0 or -errno */
int json_link_new(sd_event *event, int fd, const struct json_link_peer *peer,
                  json_link_message_fn message, json_link_ended_fn ended, void *userdata,
                  struct json_link **ret_link);
/* May be called from within the callbacks. @return NULL */
struct json_link *json_link_free(struct json_link *link);

/* Sends a message (borrowed). @return 0, -ENOMEM, -ENOBUFS, or -errno of the socket */
int json_link_send(struct json_link *link, struct json_object *message);

#endif
