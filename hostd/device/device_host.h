/*
 * device host: who gives a VM its devices. QEMU over QMP, a program of the user's, or nobody.
 *
 * Every operation is asynchronous: it never blocks, and its `done` is called exactly once, from the
 * event loop, never from inside the call that began it. device_host_free() calls the ones still
 * open with -ECANCELED.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_HOST_H
#define GUESTLINK_HOSTD_DEVICE_HOST_H

#include "base/aperture_status.h"
#include "config/config.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct device_host;

struct device_share {
    const char *tag;  /* names the device in this VM */
    const char *path; /* of the host */
    bool read_only;
    struct config_serving serving;
    bool iommu_platform; /* to be asked for where it can be had: a token is in force, and the
                          * guest's kernel keeps to the pool that it names */
    const char *options; /* the option string, verbatim */
    enum config_aperture aperture; /* with a token; else without meaning */
};

struct device_adapter {
    const struct config_network *network; /* id, mac, mtu, backend */
    bool iommu_platform;
    const char *options;
    enum config_aperture aperture; /* of one that a separate process serves, likewise */
};

struct device_outcome {
    int error;           /* 0 or a positive errno */
    const char *text;    /* what a person should read about it; "" if nothing */
    bool created;        /* false: it was there already and was taken over */
    bool iommu_platform; /* the device bounces through the guest's pool */
};

typedef void (*device_done_fn)(void *userdata, const struct device_outcome *outcome);

struct device_host_events {
    /* The device host can be reached; devices that it had before are known. May come again. */
    void (*up)(void *userdata);
    /* It cannot be reached (any more): QEMU ended, or the socket is not there. @p text says why;
     * told once until it is up again. @p ended: it was up, so the VM is gone. */
    void (*down)(void *userdata, bool ended, const char *text);
    /* The guest was reset inside the same VM. */
    void (*reset)(void *userdata);
    /* The VM goes on after a pause, or was restored from a snapshot. */
    void (*resumed)(void *userdata);
    /* What serves a share's device ended by itself; @p text has its status and last words.
     * @p restored: it was started again and the device keeps working. */
    void (*share_lost)(void *userdata, const char *tag, bool restored, const char *text);
    /* Nothing serves the share's device any more, for its aperture cannot be kept: @p reason. */
    void (*share_refused)(void *userdata, const char *tag, const char *reason);
    /* The aperture of the share's device may be another: device_host_get_aperture(). */
    void (*aperture_changed)(void *userdata, const char *tag);
    /* Likewise of an adapter that a separate process serves. */
    void (*adapter_lost)(void *userdata, const char *id, bool restored, const char *text);
    void (*adapter_refused)(void *userdata, const char *id, const char *reason);
    void (*adapter_aperture_changed)(void *userdata, const char *id);
};

/*
 * Makes the device host that @p config describes and begins to reach it.
 *
 * @param vm          the VM's configuration; must outlive the device host
 * @param state_dir   where virtiofsd's sockets and the like go (per daemon; made if missing)
 * @param memory      what an earlier daemon's device_host_remember() said, or NULL; not consumed
 * @return 0 or -errno
 */
int device_host_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                    struct json_object *memory, const struct device_host_events *events,
                    void *userdata, struct device_host **ret_host);

/*
 * Replaces the VM's configuration after a reload that left its "device_host" unchanged.
 *
 * @param vm  must stay until the next call, or as long as the device host; the configuration
 *            that device_host_new() got must stay as long as the device host
 */
void device_host_rebase(struct device_host *host, const struct config_vm *vm);

/* Lets go of it. Devices, and what serves them, live on for the next daemon. @return NULL */
struct device_host *device_host_free(struct device_host *host);

/* Adds a share's device, or takes over the equal one that is there. @return 0 or -errno */
int device_host_add_share(struct device_host *host, const struct device_share *share,
                          device_done_fn done, void *userdata);
/* Removes it: the device first, waited for, then what serves it. */
int device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                             void *userdata);
int device_host_add_adapter(struct device_host *host, const struct device_adapter *adapter,
                            device_done_fn done, void *userdata);
int device_host_remove_adapter(struct device_host *host, const char *id, device_done_fn done,
                               void *userdata);

/*
 * What keeps the process behind a share's device from the guest's memory.
 *
 * @param ret_status  its `reason` is "" where the device host knows of no process of that kind
 * @return 0; -ENOENT: not known yet, as long as the guest's driver has not started the device
 */
int device_host_get_aperture(const struct device_host *host, const char *tag,
                             struct aperture_status *ret_status);

/* As device_host_get_aperture(), of an adapter that a separate process serves. */
int device_host_get_adapter_aperture(const struct device_host *host, const char *id,
                                     struct aperture_status *ret_status);

/*
 * Tells what serves a share's device, and waits with APERTURE_WAITING and that number, that the
 * guest which reported the token is the one that runs.
 *
 * @return 0 or -errno; -ENOENT: nothing waits
 */
int device_host_confirm_aperture(const struct device_host *host, const char *tag, uint64_t number);
int device_host_confirm_adapter_aperture(const struct device_host *host, const char *id,
                                         uint64_t number);

/* True between the events `up` and `down`. */
bool device_host_is_up(const struct device_host *host);

/* Which QEMU it is: "10.0"; "" if it is not up, did not say, or is none. */
const char *device_host_version(const struct device_host *host);

/* True unless a VMM that the daemon could ask does not answer: the process that has the VM's CID
 * then may be another process. */
bool device_host_vouches(const struct device_host *host);

/*
 * What the next daemon needs to take the devices over (sockets, process ids with their start
 * times), for the store. @return a JSON object of the caller's, or NULL (no memory)
 */
struct json_object *device_host_remember(const struct device_host *host);

#endif
