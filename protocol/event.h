/*
 * event: what the guest tells the host, types 32 to 39 (PROTOCOL.md, "Events").
 *
 * As in request.h: a struct, _pack() and _unpack() each; texts and data point into the payload;
 * every _unpack() returns 0, WIRE_E_STRUCT_SIZE or WIRE_E_TEXT.
 */
#ifndef GUESTLINK_PROTOCOL_EVENT_H
#define GUESTLINK_PROTOCOL_EVENT_H

#include "wire.h"

/* Each a CLOCK_BOOTTIME of the guest in ns; 0: this step was not taken. */
struct event_ready {
    uint64_t started_ns;   /* PID 1 began */
    uint64_t modules_ns;   /* the modules that the handshake needs were loaded */
    uint64_t connected_ns; /* the connection to the host stood */
    uint64_t sent_ns;      /* CAPABILITIES was written */
    uint64_t welcomed_ns;  /* WELCOME arrived */
    uint64_t mounted_ns;   /* the last share so far was mounted */
    uint64_t network_ns;   /* the last interface so far was configured */
    uint64_t payload_ns;   /* the payload was started */
    uint64_t ready_ns;     /* COMPLETE_BOOT arrived */
};

struct event_child_exited {
    uint32_t process;   /* the host's number, 0 for the payload from PID 1's own arguments */
    uint16_t role;      /* REQUEST_ROLE_… */
    uint16_t signal;    /* that ended it, or 0 */
    uint32_t status;    /* exit status 0 to 255; 128 + signal if a signal ended it */
    uint32_t pid;       /* of the guest */
    uint32_t restarts;  /* how often it had been started again before */
    uint32_t again_ms;  /* it is started again in so many ms; UINT32_MAX: it is not */
    uint64_t exited_ns; /* CLOCK_BOOTTIME */
};

#define EVENT_NOT_AGAIN UINT32_MAX

struct event_log_record {
    uint64_t time_ns; /* CLOCK_BOOTTIME */
    uint16_t level;   /* of syslog(3): 0 to 7 */
    uint32_t dropped; /* records before this one that the rate limit kept back */
    struct wire_text text;
};

enum {
    EVENT_STDOUT = 1,
    EVENT_STDERR = 2,
};

struct event_process_output {
    uint32_t process;
    uint16_t stream;       /* EVENT_STDOUT, EVENT_STDERR */
    struct wire_text data; /* empty: the end of this stream */
};

/* Slots are of 2 KiB in every Linux so far; slot_bytes says it. */
struct event_pool {
    uint64_t total; /* slots */
    uint64_t used;
    uint64_t high_water; /* the most ever used; 0 where the kernel does not count it */
    struct wire_text name;
};

#define EVENT_POOLS_MAX 16u

struct event_pool_usage {
    uint32_t slot_bytes;
    uint16_t count; /* of pools, at most EVENT_POOLS_MAX */
    struct event_pool pools[EVENT_POOLS_MAX];
};

struct event_pool_exhausted {
    uint64_t count;   /* "swiotlb buffer is full" lines since boot */
    uint64_t used;    /* slots, as the newest line says */
    uint64_t total;   /* slots */
    uint64_t bytes;   /* of the mapping that found no room */
    uint64_t time_ns; /* CLOCK_BOOTTIME of the newest line */
};

enum {
    EVENT_BY_HOST = 0,      /* the host asked */
    EVENT_BY_SIGNAL = 1,    /* a signal that means an end (guestlink-init(8)) */
    EVENT_BY_HOST_LOSS = 2, /* guestlink.on_host_loss=poweroff */
    EVENT_BY_PAYLOAD = 3,   /* the payload ended and PID 1 was told to end with it */
};

struct event_farewell {
    uint16_t how;     /* REQUEST_POWER_OFF, … */
    uint16_t reason;  /* EVENT_BY_… */
    uint32_t killed;  /* processes that needed SIGKILL */
    uint32_t mounted; /* filesystems that could be neither unmounted nor made read-only */
};

/* CLOCK_REALTIME of the guest, ns since 1970 UTC. */
struct event_clock_stepped {
    uint64_t before_ns;
    uint64_t after_ns;
};

void event_ready_pack(struct wire_writer *writer, const struct event_ready *m);
int event_ready_unpack(const uint8_t *payload, size_t size, struct event_ready *ret);

void event_child_exited_pack(struct wire_writer *writer, const struct event_child_exited *m);
int event_child_exited_unpack(const uint8_t *payload, size_t size, struct event_child_exited *ret);

void event_log_record_pack(struct wire_writer *writer, const struct event_log_record *m);
int event_log_record_unpack(const uint8_t *payload, size_t size, struct event_log_record *ret);

void event_process_output_pack(struct wire_writer *writer, const struct event_process_output *m);
int event_process_output_unpack(const uint8_t *payload, size_t size,
                                struct event_process_output *ret);

/* Of more than EVENT_POOLS_MAX pools, the first ones are told. */
void event_pool_usage_pack(struct wire_writer *writer, const struct event_pool_usage *m);
int event_pool_usage_unpack(const uint8_t *payload, size_t size, struct event_pool_usage *ret);

void event_pool_exhausted_pack(struct wire_writer *writer, const struct event_pool_exhausted *m);
int event_pool_exhausted_unpack(const uint8_t *payload, size_t size,
                                struct event_pool_exhausted *ret);

void event_farewell_pack(struct wire_writer *writer, const struct event_farewell *m);
int event_farewell_unpack(const uint8_t *payload, size_t size, struct event_farewell *ret);

void event_clock_stepped_pack(struct wire_writer *writer, const struct event_clock_stepped *m);
int event_clock_stepped_unpack(const uint8_t *payload, size_t size,
                               struct event_clock_stepped *ret);

#endif
