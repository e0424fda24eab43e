/*
 * request: what the host asks of the guest, types 16 to 30 (PROTOCOL.md, "Requests").
 *
 * For each: a struct, _pack() and _unpack(). Texts, lists and data of an unpacked struct point into
 * the payload. Every _unpack() returns 0, WIRE_E_STRUCT_SIZE or WIRE_E_TEXT and checks form alone:
 * whether a target, a signal or an address makes sense is judged by who acts on it.
 */
#ifndef GUESTLINK_PROTOCOL_REQUEST_H
#define GUESTLINK_PROTOCOL_REQUEST_H

#include "wire.h"

struct request_set_hostname {
    struct wire_text name;
};

struct request_add_entropy {
    uint32_t bits;         /* how much of it the guest's kernel may count as entropy */
    struct wire_text data; /* any bytes */
};

enum {
    REQUEST_TRANSPORT_VIRTIOFS = 0,
    REQUEST_TRANSPORT_9P = 1,
};

#define REQUEST_MOUNT_READ_ONLY UINT32_C(1)

struct request_mount {
    uint32_t flags;      /* REQUEST_MOUNT_… */
    uint16_t transport;  /* REQUEST_TRANSPORT_… */
    uint32_t port;       /* 9P: the vsock port of the host that serves it */
    uint32_t timeout_ms; /* for the device to come and the mount to be made */
    struct wire_text tag;
    struct wire_text target;
};

#define REQUEST_UNMOUNT_DETACH UINT32_C(1) /* take it from the tree at once, busy or not */

struct request_unmount {
    uint32_t flags; /* REQUEST_UNMOUNT_… */
    struct wire_text target;
};

#define REQUEST_NETWORK_REMOVE    UINT32_C(1) /* take addresses and routes away, set the link down */
#define REQUEST_NETWORK_NO_RA     UINT32_C(2) /* since 1.1: heed no router's advertisements */
#define REQUEST_NETWORK_NO_RESOLV UINT32_C(4) /* since 1.1: leave resolv.conf alone */

struct request_configure_network {
    uint32_t flags; /* REQUEST_NETWORK_… */
    uint8_t mac[6]; /* names the interface */
    uint32_t mtu;   /* bytes; 0 leaves it */
    uint32_t timeout_ms;
    struct wire_list addresses; /* "10.0.2.15/24", "fd00::15/64" */
    struct wire_list gateways;  /* "10.0.2.2": at most one of each family */
    struct wire_list routes;    /* "10.1.0.0/16 10.0.2.9": destination, blank, gateway */
    struct wire_list dns;       /* "10.0.2.3" */
    uint32_t metric;            /* since 1.1: of its routes, and its place in resolv.conf; 0: the
                                 * guest's to choose */
};

enum {
    REQUEST_ROLE_PAYLOAD = 0, /* the one program that the VM is for */
    REQUEST_ROLE_COMMAND = 1, /* one of an operator's */
};

enum {
    REQUEST_RESTART_NEVER = 0,
    REQUEST_RESTART_ON_FAILURE = 1,
    REQUEST_RESTART_ALWAYS = 2,
};

#define REQUEST_PROCESS_OUTPUT   UINT32_C(1)  /* stdout and stderr come as PROCESS_OUTPUT */
#define REQUEST_PROCESS_INPUT    UINT32_C(2)  /* stdin is fed by PROCESS_INPUT, else /dev/null */
#define REQUEST_PROCESS_TERMINAL UINT32_C(4)  /* a payload that owns the console as its terminal */
#define REQUEST_PROCESS_UMASK    UINT32_C(8)  /* since 1.1: umask is given */
#define REQUEST_PROCESS_PTY      UINT32_C(16) /* since 1.1: a command with its own terminal */
/* With CAPABILITIES_CONNECTIONS: no program, argv is where to connect to: "127.0.0.1:80",
 * "[::1]:80" or the path of a Unix socket. What stands for stdin and stdout is the connection's two
 * ways, and the latter has a window: OUTPUT_TAKEN. */
#define REQUEST_PROCESS_CONNECTION UINT32_C(32)

struct request_start_process {
    uint32_t process;           /* the host's number for it, not 0; named by everything about it */
    uint16_t role;              /* REQUEST_ROLE_… */
    uint16_t restart;           /* REQUEST_RESTART_… */
    uint32_t flags;             /* REQUEST_PROCESS_… */
    uint32_t uid, gid;          /* numeric */
    uint16_t umask;             /* since 1.1, as all up to pids_max; see REQUEST_PROCESS_UMASK */
    uint16_t stop_signal;       /* what ends it at a shut-down; 0: SIGTERM */
    uint32_t stop_timeout_ms;   /* after which SIGKILL follows; 0: the shut-down's grace */
    uint64_t memory_max;        /* bytes of all that it starts; 0: no bound */
    uint32_t pids_max;          /* processes, likewise */
    uint16_t rows, columns;     /* since 1.1: of its own terminal; 0: not known */
    struct wire_text directory; /* working directory; empty: / */
    struct wire_list argv;      /* at least one */
    struct wire_list environment; /* NAME=VALUE */
    struct wire_list limits;      /* since 1.1: process_limit.h */
};

struct request_send_signal {
    uint32_t process;
    uint32_t signal; /* Linux' generic numbering, x86 and arm alike */
};

enum {
    REQUEST_POWER_OFF = 0,
    REQUEST_REBOOT = 1,
    REQUEST_HALT = 2,
};

struct request_shut_down {
    uint16_t how;      /* REQUEST_POWER_OFF, … */
    uint32_t grace_ms; /* between SIGTERM and SIGKILL */
};

struct request_set_time {
    uint64_t realtime_ns; /* CLOCK_REALTIME of the host, ns since 1970 UTC, as it was sent */
};

/* Since 1.1: the size of a process' own terminal (REQUEST_PROCESS_PTY). */
struct request_resize_terminal {
    uint32_t process;
    uint16_t rows, columns;
};

struct request_process_input {
    uint32_t process;
    struct wire_text data; /* empty: the end of the input */
};

struct request_output_taken {
    uint32_t process; /* a connection */
    uint32_t bytes;   /* of its output, since the last one */
};

void request_set_hostname_pack(struct wire_writer *writer, const struct request_set_hostname *m);
int request_set_hostname_unpack(const uint8_t *payload, size_t size,
                                struct request_set_hostname *ret);

void request_add_entropy_pack(struct wire_writer *writer, const struct request_add_entropy *m);
int request_add_entropy_unpack(const uint8_t *payload, size_t size,
                               struct request_add_entropy *ret);

void request_mount_pack(struct wire_writer *writer, const struct request_mount *m);
int request_mount_unpack(const uint8_t *payload, size_t size, struct request_mount *ret);

void request_unmount_pack(struct wire_writer *writer, const struct request_unmount *m);
int request_unmount_unpack(const uint8_t *payload, size_t size, struct request_unmount *ret);

/* The lists of @p m are bytes made by wire_put_list_item(), or as an unpack left them. */
void request_configure_network_pack(struct wire_writer *writer,
                                    const struct request_configure_network *m);
int request_configure_network_unpack(const uint8_t *payload, size_t size,
                                     struct request_configure_network *ret);

void request_start_process_pack(struct wire_writer *writer, const struct request_start_process *m);
int request_start_process_unpack(const uint8_t *payload, size_t size,
                                 struct request_start_process *ret);

void request_send_signal_pack(struct wire_writer *writer, const struct request_send_signal *m);
int request_send_signal_unpack(const uint8_t *payload, size_t size,
                               struct request_send_signal *ret);

void request_shut_down_pack(struct wire_writer *writer, const struct request_shut_down *m);
int request_shut_down_unpack(const uint8_t *payload, size_t size, struct request_shut_down *ret);

void request_set_time_pack(struct wire_writer *writer, const struct request_set_time *m);
int request_set_time_unpack(const uint8_t *payload, size_t size, struct request_set_time *ret);

void request_resize_terminal_pack(struct wire_writer *writer,
                                  const struct request_resize_terminal *m);
int request_resize_terminal_unpack(const uint8_t *payload, size_t size,
                                   struct request_resize_terminal *ret);

void request_process_input_pack(struct wire_writer *writer, const struct request_process_input *m);
int request_process_input_unpack(const uint8_t *payload, size_t size,
                                 struct request_process_input *ret);

void request_output_taken_pack(struct wire_writer *writer, const struct request_output_taken *m);
int request_output_taken_unpack(const uint8_t *payload, size_t size,
                                struct request_output_taken *ret);

#endif
