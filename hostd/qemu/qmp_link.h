/*
 * qmp link: one connection to a QMP socket, as lines of JSON in and out.
 */
#ifndef GUESTLINK_HOSTD_QMP_LINK_H
#define GUESTLINK_HOSTD_QMP_LINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* Bytes that wait for QEMU to read them: it answers within milliseconds or has a problem. */
#define QMP_LINK_OUTPUT_MAX ((size_t)256 * 1024)

/* What one line may be made of, counted as its braces, brackets and commas, for a value is much
 * larger in memory than on the line (`{}` 300 times). A machine's list of devices has hundreds. */
#define QMP_LINK_VALUES_MAX 16384u

/* QEMU is heard so often in a second, and so many bytes each time; what it says beyond waits. It
 * says one line for each command of ours, some dozens at a guest's start. A QEMU that talks without
 * end then costs the daemon some hundredths of a processor, and no other VM its turn. */
#define QMP_LINK_TURNS_PER_S 250u
#define QMP_LINK_TURN_BYTES  4096u

struct qmp_link;

/* @p message is borrowed. */
typedef void (*qmp_link_message_fn)(void *userdata, struct json_object *message);
/* The connection ended; the link is then only good for qmp_link_free(), which the callee may call.
 * @p gone: the other side closed it; else what it sent cannot be used. @p text says why. */
typedef void (*qmp_link_ended_fn)(void *userdata, bool gone, const char *text);

/* @param fd  connected, non-blocking; consumed whatever happens. @return 0 or -errno */
int qmp_link_new(sd_event *event, int fd, qmp_link_message_fn message, qmp_link_ended_fn ended,
                 void *userdata, struct qmp_link **ret_link);
/* May be called from within the callbacks. @return NULL */
struct qmp_link *qmp_link_free(struct qmp_link *link);

/* Sends a message (borrowed). @return 0, -ENOMEM, -ENOBUFS, or -errno of the socket */
int qmp_link_send(struct qmp_link *link, struct json_object *message);

#endif
