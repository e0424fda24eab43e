/*
 * libvirt: one guestlink-libvirt for each URI, shared by the VMs whose domains are there.
 *
 * It may block, hang, crash or lie. Nothing here waits for it: each call has a deadline, one that
 * does not answer a ping is killed, and one that ended is started again after growing pauses.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_LIBVIRT_H
#define GUESTLINK_HOSTD_DOMAIN_LIBVIRT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* From its start to its connection with libvirt. A libvirtd that systemd starts for it first probes
 * its QEMUs, which takes seconds. */
#define LIBVIRT_CONNECT_MS 30000u

/* So often it is asked whether it lives, and it answers within the same time. */
#define LIBVIRT_PING_MS 10000u

/* The pauses before the next start, each twice as long; one that was connected for the last of
 * these begins with the first again. */
#define LIBVIRT_PAUSE_FIRST_MS 250u
#define LIBVIRT_PAUSE_LAST_MS  10000u

/* Bytes of a name, a path or a number that it says. */
#define LIBVIRT_TEXT_MAX ((size_t)4096)

/* VIR_ERR_… of libvirt's virterror.h, of those that decide something here. */
#define LIBVIRT_ERROR_NO_DOMAIN      42
#define LIBVIRT_ERROR_AUTH           45
#define LIBVIRT_ERROR_DEVICE_MISSING 99

struct libvirt_user;

struct libvirt_reply {
    int error;        /* 0; EREMOTEIO: libvirt said no; ETIMEDOUT; ECONNRESET: the connection, or
                         guestlink-libvirt, ended; ECANCELED: libvirt_leave() */
    int64_t code;     /* libvirt's, if EREMOTEIO */
    const char *text; /* libvirt's own words, cleaned, or what happened; "" if error is 0 */
    struct json_object *result; /* borrowed; any value; NULL if error is not 0 */
};

typedef void (*libvirt_reply_fn)(void *userdata, const struct libvirt_reply *reply);

struct libvirt_events {
    void (*up)(void *userdata);
    /* It cannot be reached (any more). Told once until it is up again. */
    void (*down)(void *userdata, const char *text);
    /* Something happened to the user's domain; @p message is an object, borrowed. */
    void (*event)(void *userdata, const char *name, struct json_object *message);
};

/*
 * Joins those that use libvirt at @p uri.
 *
 * @param domain  whose events are of interest; copied. NULL: those of all
 * @return 0 or -errno
 */
int libvirt_join(sd_event *event, const char *uri, const char *domain,
                 const struct libvirt_events *events, void *userdata,
                 struct libvirt_user **ret_user);

/* Answers the open calls with ECANCELED; the last one's guestlink-libvirt ends. @return NULL */
struct libvirt_user *libvirt_leave(struct libvirt_user *user);

/* Which QEMU libvirt starts: "7.2.19"; "" if it is not up, or did not say. */
const char *libvirt_hypervisor(const struct libvirt_user *user);

/*
 * Asks libvirt for something of the user's domain.
 *
 * @param call       as in libvirt/call.h
 * @param arguments  consumed whatever happens; NULL for none
 * @param fn         called exactly once, from the event loop or from libvirt_leave(); NULL if
 *                   nobody wants to know
 * @return 0; -ENOTCONN if it is not up; -ENOMEM; -ENOBUFS if guestlink-libvirt does not read
 */
int libvirt_call(struct libvirt_user *user, const char *call, struct json_object *arguments,
                 uint32_t timeout_ms, libvirt_reply_fn fn, void *userdata);

#endif
