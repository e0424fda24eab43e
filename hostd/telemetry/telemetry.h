/*
 * telemetry: what happened, as one JSON object a line and as structured journal entries.
 *
 * Lines are whole and in order. A disk that is full loses lines, never the daemon; how many were
 * lost is said in the first line that can be written again.
 */
#ifndef GUESTLINK_HOSTD_TELEMETRY_H
#define GUESTLINK_HOSTD_TELEMETRY_H

#include "fields.h"

#include "config/config.h"

struct telemetry;

/* Of whom an event speaks; NULL fields are null in the line: every line has them. */
struct telemetry_source {
    const char *vm;
    const char *vm_id;
    const char *boot_id; /* UUID text */
};

/* Every event that there is; telemetry_event_name() has the names. */
enum telemetry_event {
    TELEMETRY_GUEST_CONNECTED,
    TELEMETRY_GUEST_KERNEL_INFO,
    TELEMETRY_READ_GUEST_CAPABILITIES,
    TELEMETRY_APPLY_GUEST_CAPABILITIES,
    TELEMETRY_SWIOTLB_KERNEL_UNSUPPORTED,
    TELEMETRY_SWIOTLB_POOL_REJECTED,
    TELEMETRY_SWIOTLB_POOL_EXHAUSTED,
    TELEMETRY_ADD_VIRTIO_FS_SHARE,
    TELEMETRY_REMOVE_VIRTIO_FS_SHARE,
    TELEMETRY_ADD_NET_ADAPTER,
    TELEMETRY_REMOVE_NET_ADAPTER,
    TELEMETRY_DEVICE_FAILED,
    TELEMETRY_DEVICE_APERTURE,   /* tag, aperture, apertureBytes, reason */
    TELEMETRY_MOUNT_SHARE,       /* the guest's answer: tag, target, error, text */
    TELEMETRY_CONFIGURE_NETWORK, /* the guest's answer: id, error, text */
    TELEMETRY_START_PAYLOAD,     /* the guest's answer: argv0, error, text */
    TELEMETRY_GUEST_READY,
    TELEMETRY_CHILD_EXIT,
    TELEMETRY_GUEST_LOG,
    TELEMETRY_CLOCK_STEPPED, /* before, after: ns of the guest's CLOCK_REALTIME */
    TELEMETRY_GUEST_FAREWELL,
    TELEMETRY_GUEST_DISCONNECTED,
    TELEMETRY_PROTOCOL_ERROR,
    TELEMETRY_HANDSHAKE_TIMEOUT,
    TELEMETRY_GUEST_TIMEOUT, /* another phase's deadline: phase, timeout_ms */
    TELEMETRY_CONFIG_WARNING,
    TELEMETRY_EVENTS_DROPPED, /* a guest's rate limit, or a full disk: count, reason */
    TELEMETRY_EVENT_COUNT,
};

/* "GuestConnected" and so on. Static. */
const char *telemetry_event_name(enum telemetry_event event);

/*
 * Opens the file (appending) and whatever else the configuration asks for. A file that cannot be
 * opened is a warning on stderr: lines are lost and counted until it can.
 *
 * @return 0 or -ENOMEM
 */
int telemetry_new(const struct config_telemetry *config, struct telemetry **ret_telemetry);
struct telemetry *telemetry_free(struct telemetry *telemetry);

/*
 * Writes an event.
 *
 * @param source  NULL if it is about no VM
 * @param fields  the event's own; NULL for none
 */
void telemetry_emit(struct telemetry *telemetry, enum telemetry_event event,
                    const struct telemetry_source *source, const struct fields *fields);

/* Opens the file again by its name, as after logrotate moved it; another configuration may be given
 * with it (NULL keeps the old one). */
void telemetry_reopen(struct telemetry *telemetry, const struct config_telemetry *config);

/*
 * Calls @p fn with each line (no newline) as it is made, until telemetry_unsubscribe().
 *
 * @return a number for telemetry_unsubscribe(), or -ENOMEM, or -EUSERS if there are 64 already
 */
typedef void (*telemetry_line_fn)(void *userdata, const char *line, size_t size);
int telemetry_subscribe(struct telemetry *telemetry, telemetry_line_fn fn, void *userdata);
void telemetry_unsubscribe(struct telemetry *telemetry, int subscription);

/* Lines written and lost since the start, by event, for metrics. */
uint64_t telemetry_count(const struct telemetry *telemetry, enum telemetry_event event);
uint64_t telemetry_lost(const struct telemetry *telemetry);

#endif
