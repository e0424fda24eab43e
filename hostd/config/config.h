/*
 * config: the operator's configuration file, read and checked, as plain C data.
 *
 * What stands here is what the file says, with the defaults filled in. What follows from it (is
 * there a pool to ask for, which networking is left when virtio is off) is policy.h's to decide.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_H
#define GUESTLINK_HOSTD_CONFIG_H

#include "serving.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Strings of a list, also NULL-terminated; items NULL if count is 0. */
struct config_strings {
    char **items;
    size_t count;
};

/* Of an enum below: the words of the file for its values, in order, NULL at the end. */
extern const char *const config_transport_names[];
extern const char *const config_backend_names[];
extern const char *const config_networking_names[];
extern const char *const config_aperture_names[];
extern const char *const config_device_host_names[];

enum config_transport { CONFIG_TRANSPORT_AUTO, CONFIG_TRANSPORT_VIRTIOFS, CONFIG_TRANSPORT_9P };

struct config_share {
    char *tag;    /* 1 to 36 bytes, unique in its VM */
    char *path;   /* of the host, absolute */
    char *target; /* in the guest, absolute */
    bool read_only;
    enum config_transport transport;
    struct config_serving serving; /* by virtiofsd */
    unsigned line; /* of the file, where its object begins; 0: it is not from there */
};

enum config_backend {
    CONFIG_BACKEND_USER,
    CONFIG_BACKEND_TAP,
    CONFIG_BACKEND_STREAM,
    CONFIG_BACKEND_PASST,
    CONFIG_BACKEND_NETWORK, /* these two are libvirt's */
    CONFIG_BACKEND_BRIDGE
};

struct config_network {
    char *id; /* unique in its VM */
    uint8_t mac[6];
    struct config_strings address; /* "10.0.2.15/24", IPv4 or IPv6 */
    struct config_strings
        gateway;                  /* at most one of each family; a string or an array in the file */
    struct config_strings routes; /* "DESTINATION GATEWAY"; {"to", "via"} objects in the file */
    struct config_strings dns;
    uint32_t mtu;    /* bytes, 0: leave it */
    uint32_t metric; /* of its routes; 0: by its place, see config_vm_metric() */
    bool ignores_ra; /* "accept_ra": false */
    enum config_backend backend;
    bool host_loopback; /* user, passt: programs of the guest may reach the host's own addresses */
    char *interface;    /* tap: the host's interface; network, bridge: of that name */
    char *socket_path;  /* stream: the Unix socket of passt or another */
    struct config_strings publish; /* user, passt: what config_publish_parse() takes */
};

enum config_restart {
    CONFIG_RESTART_NEVER,
    CONFIG_RESTART_ON_FAILURE,
    CONFIG_RESTART_ALWAYS,
};

#define CONFIG_UMASK_GIVEN UINT32_C(0x10000)

/* "payload": an array of words, or an object with "argv" and the rest. */
struct config_payload {
    struct config_strings argv;        /* empty: no payload from the host */
    struct config_strings environment; /* NAME=VALUE */
    char *directory;                   /* NULL: / */
    uint32_t uid, gid;
    enum config_restart restart;
    bool terminal;
    struct config_strings limits; /* "nofile 1024 524288": protocol/process_limit.h */
    uint32_t umask;               /* 0: the guest's own, else CONFIG_UMASK_GIVEN and the mask */
    uint32_t stop_signal;         /* 0: SIGTERM */
    uint32_t stop_timeout_ms;     /* 0: the shut-down's */
    uint64_t memory_max;          /* bytes; 0: no bound */
    uint32_t pids_max;            /* 0: no bound */
    bool output; /* its output is sent to the host and lands in telemetry-independent log lines */
};

enum config_device_host_type {
    CONFIG_DEVICE_HOST_NONE,
    CONFIG_DEVICE_HOST_QEMU,
    CONFIG_DEVICE_HOST_COMMAND,
    CONFIG_DEVICE_HOST_LIBVIRT,
};

struct config_device_host {
    enum config_device_host_type type;
    char *qmp;                           /* qemu: path of the QMP Unix socket */
    char *uri;                           /* libvirt: of the connection */
    char *domain;                        /* libvirt: its name */
    char *passt;                         /* qemu, libvirt: path of the program; NULL: from PATH */
    char *virtiofsd;                     /* likewise; NULL: the first of the usual places */
    unsigned passt_line, virtiofsd_line; /* of the file, where the key stands; 0: it does not */
    struct config_strings argv;          /* command: the program and its first words */
    uint32_t timeout_ms;                 /* for one operation */
};

enum config_networking {
    CONFIG_NETWORKING_VIRTIOPROXY,
    CONFIG_NETWORKING_NAT,
    CONFIG_NETWORKING_NONE
};

/* Whether what serves a device is kept from the rest of the guest's memory. */
enum config_aperture { CONFIG_APERTURE_AUTO, CONFIG_APERTURE_REQUIRE, CONFIG_APERTURE_OFF };

/* Before the metrics that kernels choose by themselves (1024 for IPv6). */
#define CONFIG_METRIC_FIRST 100u

/* Who sets the guest's clock. */
enum config_clock { CONFIG_CLOCK_HOST, CONFIG_CLOCK_NONE };

enum config_swiotlb { CONFIG_SWIOTLB_AUTO, CONFIG_SWIOTLB_OFF, CONFIG_SWIOTLB_SIZE };

struct config_timeouts { /* ms; each phase of a guest's way has one */
    uint32_t connect;    /* from the daemon (or the VM's QMP) being up to the guest's connection */
    uint32_t
        capabilities; /* "handshake_timeout_ms": from accept to the last byte of CAPABILITIES */
    uint32_t device;
    uint32_t mount;
    uint32_t network;
    uint32_t payload;
    uint32_t shut_down; /* the grace between SIGTERM and SIGKILL in the guest */
    uint32_t silence;   /* without a frame of a connected guest's, until it counts as gone */
};

struct config_vm {
    char *name;      /* unique; 1 to 64 bytes of letters, digits, `-`, `_`, `.` */
    char id[37];     /* UUID, lower-case */
    uint32_t cid;    /* 0: none */
    char *socket;    /* NULL: none; one of the two there must be */
    uint64_t memory; /* bytes */
    bool bundled_kernel;
    bool virtio, virtiofs;
    enum config_networking networking;
    bool networking_is_default; /* the file does not say it */
    enum config_swiotlb swiotlb;
    uint64_t swiotlb_size; /* bytes, if CONFIG_SWIOTLB_SIZE */
    enum config_aperture aperture;
    enum config_clock clock;
    char *hostname;          /* NULL: leave the guest's */
    bool leaves_resolv_conf; /* "resolv_conf": "never" */
    struct config_share *shares;
    size_t share_count;
    struct config_network *networks;
    size_t network_count;
    struct config_payload payload;
    struct config_device_host device_host;
    struct config_timeouts timeouts;
    unsigned line; /* of the file, where the VM's object begins */
    /* Where the key stands; 0: the file does not say it. */
    unsigned networking_line, swiotlb_line, aperture_line;
};

struct config_telemetry {
    char *file; /* NULL: none */
    uint64_t max_bytes;
    unsigned keep;
    bool journal;
};

struct config_limits {
    uint32_t connections;        /* in all */
    uint32_t connections_per_vm; /* the accepted one and those in the handshake */
    uint32_t connection_bytes;   /* held for one connection, in and out */
    uint32_t guest_events_per_s; /* telemetry lines that one guest can cause, sustained */
    uint32_t guest_events_burst;
    uint32_t payload_output_per_s; /* bytes of a payload's output that are logged, sustained */
    uint32_t payload_output_burst;
};

/* Which VMs there are besides those of the file. */
struct config_libvirt {
    char *uri; /* NULL: the file does not say anything of libvirt */
    bool discover;
};

struct config {
    char *file;                   /* its path, for messages */
    struct config_strings listen; /* "vsock:[CID]:PORT", "unix:/path" */
    char *control;                /* path of the control socket */
    char *control_group;          /* group that may use it in addition to root; NULL: none */
    char *metrics;                /* path of the Prometheus socket; NULL: none */
    char *state_dir;
    struct config_telemetry telemetry;
    struct config_limits limits;
    struct config_timeouts timeouts; /* defaults of the VMs' */
    struct config_libvirt libvirt;
    struct config_vm *vms;
    size_t vm_count;
};

/* A remark about the file: one line, "FILE:LINE: KEY: …, expected …; …", without newline. */
typedef void (*config_remark_fn)(void *userdata, const char *remark);

/*
 * Reads and checks a configuration file: JSON with comments, at most 16 MiB.
 *
 * Every error in the file is told, not only the first. A bad swiotlb value is a warning, and the
 * default is used.
 *
 * @param on_warning  told of what was fixed (may be NULL); on_error: of what makes it useless
 * @return 0 with a configuration for config_free(); 1 if the file was read and is wrong (told
 *         through on_error); -errno if it could not be read (told through on_error too)
 */
int config_load(const char *file, config_remark_fn on_warning, config_remark_fn on_error,
                void *userdata, struct config **ret_config);

/* As config_load(), of text in memory; @p name stands for the file's path in remarks. */
int config_parse(const char *text, size_t size, const char *name, config_remark_fn on_warning,
                 config_remark_fn on_error, void *userdata, struct config **ret_config);

/* A domain that says of itself that it is one of guestlink's VMs. */
struct config_found {
    const char *uri, *domain;
    const char *id;   /* its UUID */
    uint32_t cid;     /* 0: it has none */
    const char *text; /* an object with a VM's keys; what stands above need not be in it */
};

/*
 * Adds the VM of a domain to @p config, unless a VM of the file has that domain.
 *
 * @return 0; 1: what it says is wrong (told through on_error), and nothing was added; -ENOMEM
 */
int config_adopt(struct config *config, const struct config_found *found,
                 config_remark_fn on_warning, config_remark_fn on_error, void *userdata);

/*
 * Warns of VMs that no guest can call: they have a cid alone, and nothing in `listen` takes
 * connections over vsock. A socket that systemd passes may: the caller knows.
 */
void config_tell_unreachable(const struct config *config, config_remark_fn on_warning,
                             void *userdata);

/*
 * Warns of shares whose folder does not exist, or is none. Blocks as long as their file systems do,
 * so the daemon, which looks when it creates a share, does not call this.
 */
void config_tell_missing_folders(const struct config *config, config_remark_fn on_warning,
                                 void *userdata);

/*
 * Warns of programs that a device host names and that cannot be run: they do not exist, are not
 * executable, or are a passt that is of no use. Blocks, as above.
 */
void config_tell_missing_programs(const struct config *config, config_remark_fn on_warning,
                                  void *userdata);

/* Frees @p config with all that it holds; NULL is fine. @return NULL */
struct config *config_free(struct config *config);

/* True if two VMs of two configurations say the same in everything (but the lines). */
bool config_vm_equal(const struct config_vm *a, const struct config_vm *b);
bool config_network_equal(const struct config_network *a, const struct config_network *b);

/* The metric of routes of @p vm's adapter @p id: its own, or CONFIG_METRIC_FIRST and its place in
 * the list. 0: there is no such adapter. */
uint32_t config_vm_metric(const struct config_vm *vm, const char *id);

/* True if an adapter of @p vm is at QEMU's user-mode network; of those, if one may reach the host's
 * own addresses: QEMU is one process, so that holds for all of them. */
bool config_vm_has_user_network(const struct config_vm *vm);
bool config_vm_has_host_loopback(const struct config_vm *vm);

/* True if the VM's devices are QEMU's, and a process of ours serves some of them: by QMP or through
 * libvirt. */
bool config_vm_has_qemu(const struct config_vm *vm);

/* "8080/tcp,53/udp,": the ports of the host's at which QEMU listens for the adapters of @p vm that
 * are at its user-mode network; cut to whole ports. */
void config_vm_name_ports(const struct config_vm *vm, char *text, size_t capacity);

/* True if a passt of ours serves an adapter of @p vm. */
bool config_vm_has_passt(const struct config_vm *vm);

#endif
