/*
 * vm: one virtual machine as the daemon sees it: its settings, its guest, its devices.
 *
 * The control socket, the metrics and the daemon read it through the views below and change it
 * through the asynchronous calls. None of them blocks. A call that returns 0 calls its `done`
 * exactly once, later, from the event loop, never from inside the call that began it; one that
 * returns something else never calls it.
 */
#ifndef GUESTLINK_HOSTD_VM_H
#define GUESTLINK_HOSTD_VM_H

#include "base/aperture_status.h"
#include "config/config.h"
#include "config/policy.h"
#include "exec.h"

#include "protocol/capabilities.h"
#include "protocol/event.h"
#include "protocol/options.h"
#include "protocol/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct vm;

enum vm_state {
    VM_NEVER_SEEN, /* no guest was heard of since the daemon began, nor by an earlier daemon */
    VM_CONNECTED,  /* accepted; devices, mounts, network and payload are under way */
    VM_READY,      /* the guest said READY in this boot and is connected */
    VM_SHUTTING_DOWN,
    VM_LOST, /* there was a guest; its connection is gone, and nothing says that it ended, or its VM
              * boots again */
    VM_ENDED, /* it said farewell, or its VMM is gone */
};

/* "never-seen", "connected", "ready", "shutting-down", "lost", "ended". Static. */
const char *vm_state_name(enum vm_state state);

/* A share's or an adapter's way, from the host's side to the guest's. */
enum vm_device_state {
    VM_DEVICE_WAITING,   /* for the guest, or for the device host */
    VM_DEVICE_ADDING,    /* the device host makes the device */
    VM_DEVICE_ADDED,     /* there, not (yet) in use by the guest */
    VM_DEVICE_SETTING,   /* the guest mounts the share, or configures the interface */
    VM_DEVICE_IN_USE,    /* mounted, configured */
    VM_DEVICE_RELEASING, /* the guest unmounts it, or gives the interface up */
    VM_DEVICE_REMOVING,  /* the device host takes the device away */
    VM_DEVICE_FAILED,    /* `error` says why */
};

/* "waiting", "adding", "added", "setting", "in-use", "releasing", "removing", "failed". Static. */
const char *vm_device_state_name(enum vm_device_state state);

/* Everything in a view is the VM's and good until the caller returns to the event loop. */
struct vm_share_view {
    const char *tag;
    const char *path;
    const char *target;
    const char *device;  /* tag of the device that it uses: another's if shared */
    const char *options; /* the option string, "" until there is one */
    /* What its virtiofsd can reach of the guest's memory; NULL: not known (yet), or it has none. */
    const struct aperture_status *aperture;
    const char *error; /* what went wrong since it was last tried, "" if nothing */
    enum policy_transport
        transport; /* POLICY_TRANSPORT_NONE until the guest's features are known */
    uint32_t port; /* 9P: the vsock port that serves it, else 0 */
    enum vm_device_state state;
    bool read_only;
    bool iommu_platform; /* the device bounces through the guest's pool */
    bool configured;     /* from the configuration file; false: added at runtime */
};

struct vm_adapter_view {
    const struct config_network *network;
    const char *options;
    enum vm_device_state state;
    bool iommu_platform;
    const struct aperture_status *aperture; /* as a share's */
    const char *error;
};

/* Milliseconds of the host's CLOCK_MONOTONIC since the guest's connection was accepted by the
 * kernel's accept(2); 0: not yet. */
struct vm_timings {
    uint64_t accepted_us; /* CLOCK_REALTIME, µs, of the accept */
    uint32_t capabilities_ms;
    uint32_t devices_ms; /* the last device was added or failed */
    uint32_t mounts_ms;
    uint32_t network_ms;
    uint32_t payload_ms;
    uint32_t ready_ms;         /* READY arrived */
    struct event_ready guest;  /* the guest's own, all 0 until READY */
    uint64_t guest_sent_ns;    /* guest_capabilities.sent_ns */
    uint64_t guest_started_ns; /* guest_capabilities.started_ns */
};

/* Their names, for those who list them all: each(NAME), for a member of vm_timings and of its
 * `guest`. */
#define VM_TIMINGS_HOST(each)                                                                      \
    each(accepted_us) each(capabilities_ms) each(devices_ms) each(mounts_ms) each(network_ms)      \
        each(payload_ms) each(ready_ms)
#define VM_TIMINGS_GUEST(each)                                                                     \
    each(started_ns) each(modules_ns) each(connected_ns) each(sent_ns) each(welcomed_ns)           \
        each(mounted_ns) each(network_ns) each(payload_ns) each(ready_ns)

enum vm_payload_state {
    VM_PAYLOAD_NONE,    /* the host names none */
    VM_PAYLOAD_WAITING, /* not started yet in this boot */
    VM_PAYLOAD_RUNNING,
    VM_PAYLOAD_EXITED,
    VM_PAYLOAD_FAILED, /* could not be started */
};

const char *vm_payload_state_name(enum vm_payload_state state);

struct vm_payload_view {
    enum vm_payload_state state;
    const struct config_payload *config;
    uint32_t status; /* exited or failed: by the shell's convention */
    uint32_t signal; /* that ended it, or 0 */
    uint32_t restarts;
    const char *error;
};

struct vm_view {
    const struct config_vm *config;
    const struct policy *policy;
    enum vm_state state;
    const char *device_host_error; /* why the device host cannot be reached, "" if it can */
    bool device_host_up;
    const char *device_host_version; /* device_host_version() */

    /* of the current boot, or the last one known */
    bool boot_known;
    const char *boot_id; /* UUID text, "" if not known */
    const struct guest_capabilities *capabilities;
    enum pool_verdict verdict;
    const char *token; /* "" for none */
    struct vm_timings timings;
    struct vm_payload_view payload;

    size_t share_count, adapter_count;
    unsigned connections;  /* open now, handshakes included */
    uint64_t exhausted;    /* "swiotlb buffer is full" lines, as the guest last said */
    uint64_t dropped;      /* telemetry lines kept back by the rate limit */
    uint64_t bytes_held;   /* in buffers for this VM's connection */
    uint64_t last_seen_us; /* CLOCK_REALTIME, µs, of the last frame; 0: never */
};

void vm_get_view(const struct vm *vm, struct vm_view *ret_view);
/* @param index below share_count, adapter_count */
void vm_get_share(const struct vm *vm, size_t index, struct vm_share_view *ret_view);
void vm_get_adapter(const struct vm *vm, size_t index, struct vm_adapter_view *ret_view);

/*
 * How an asynchronous call ended.
 *
 * @param error  0 or a positive errno
 * @param text   a sentence for a person if error is not 0; else "" or a remark
 */
typedef void (*vm_done_fn)(void *userdata, int error, const char *text);

/* As vm_done_fn; @p usage is NULL if error is not 0 (ENOENT: that kernel keeps no statistics). */
typedef void (*vm_pool_usage_fn)(void *userdata, int error, const char *text,
                                 const struct event_pool_usage *usage);

/* As vm_done_fn; @p measured is what the guest answered, NULL if it did not. error ESTALE: it says
 * something else than this boot's first report, which stays. */
typedef void (*vm_capabilities_fn)(void *userdata, int error, const char *text,
                                   const struct guest_capabilities *measured);

/* Asks the guest again. @return 0, -ENOTCONN, -ENOBUFS (it reads too slowly) or -ENOMEM */
int vm_refresh_capabilities(struct vm *vm, vm_capabilities_fn done, void *userdata);

/* Asks for the pool's use and high-water mark. @return as vm_refresh_capabilities() */
int vm_query_pool(struct vm *vm, vm_pool_usage_fn done, void *userdata);

/*
 * Adds a share at runtime; it lives until it is removed or the daemon's configuration says
 * otherwise, across reboots of the guest, and is remembered across restarts of the daemon.
 *
 * `done` is called when the guest has mounted it, or when that failed; the share is then gone
 * again. Without a guest, `done` is called with 0 and a remark: it is mounted when one comes.
 *
 * @param share  copied
 * @return 0, -EEXIST (the tag is taken), -EBUSY (the target is), -EINVAL (a value that config.h
 * forbids), -ENOMEM
 */
int vm_add_share(struct vm *vm, const struct config_share *share, vm_done_fn done, void *userdata);

/* Removes a share: the guest unmounts it, then the device goes (unless an equal share uses it).
 * @return 0, -ENOENT (no such tag), -EBUSY (it is being added or removed), -ENOMEM */
int vm_remove_share(struct vm *vm, const char *tag, vm_done_fn done, void *userdata);

/*
 * Asks the guest to power off or reboot. `done` is called when it said farewell, when its
 * connection ended, or with ETIMEDOUT.
 *
 * @param grace_ms  between SIGTERM and SIGKILL in the guest; 0: the configured one
 * @return 0, -ENOTCONN, -ENOBUFS or -ENOMEM
 */
int vm_shut_down(struct vm *vm, bool reboot, uint32_t grace_ms, vm_done_fn done, void *userdata);

/* Starts a command in the guest; see exec.h. @return 0, -ENOTCONN, -ENOBUFS, -E2BIG, -ENOMEM or
 * -EOPNOTSUPP (this guest can give it no terminal) */
int vm_exec(struct vm *vm, const struct exec_command *command, const struct exec_events *events,
            void *userdata, struct exec **ret_exec);

/* The caller goes away: no `done` that was given with @p userdata is called any more. What was
 * begun goes on. */
void vm_forget(struct vm *vm, const void *userdata);

#endif
