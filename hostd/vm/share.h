/*
 * share: a directory of the host's on its way to a mount in the guest.
 *
 * What is wanted is compared with what is there, and share_step() begins the next thing to do: get
 * a device (or a 9P port), have the guest mount it; or, if it is wanted no more, have it unmounted
 * and let the device go. Every answer leads back to share_step(), so that reboots, reconnects,
 * restarts of the daemon and changes at any moment take the same way.
 */
#ifndef GUESTLINK_HOSTD_SHARE_H
#define GUESTLINK_HOSTD_SHARE_H

#include "share_device.h"
#include "vm.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct p9_share;
struct operation;

struct share {
    struct share *next;
    struct vm *vm;
    struct config_share config; /* owned */
    bool configured;            /* by the file, not at runtime */
    bool wanted;
    bool failed;     /* nothing more is tried until the next occasion; `error` says why */
    bool mounted;    /* by the guest, in this boot */
    bool asked;      /* a MOUNT or UNMOUNT is outstanding */
    bool unsure;     /* in this boot it may be mounted: an earlier connection left that open */
    bool remount;    /* what served it was lost: unmount whatever happens, then begin again */
    bool told;       /* its device was told in telemetry */
    bool releasing;  /* it goes, and waits for its device to go */
    int leave_error; /* why the device did not go, a positive errno */
    enum policy_transport transport;
    struct share_device *device; /* virtiofs */
    struct p9_share *p9;         /* 9P */
    enum vm_device_state state;
    char *error;
    uint64_t asked_us;
    unsigned retries; /* after its server was lost */
    uint64_t retried_us;
    sd_event_source *timer; /* of the device phase */
    struct operation *operation;
    sd_event_source *later; /* takes the first step from the event loop */
};

struct shares {
    struct share *first;
    size_t count;
    struct share_device *devices;
    sd_event_source *later; /* steps all of them from the event loop */
};

/* Adds a share to be made. @p config copied. @return 0, -EEXIST, -ENOBUFS (LIMITS_SHARES), -ENOMEM
 */
int share_new(struct vm *vm, const struct config_share *config, bool configured,
              struct share **ret_share);

/* Does the next thing there is to do for it. The share may be gone afterwards. */
void share_step(struct share *share);

/* As share_step() and share_drop(), from the event loop; @p operation is told how that ended. */
void share_begin_later(struct share *share, struct operation *operation);
void share_drop_later(struct share *share, struct operation *operation);

/* It is wanted no more: takes it away, step by step, and forgets it then. */
void share_drop(struct share *share);

/* The share of that tag that is wanted; one that is going is not it. NULL: there is none. */
struct share *share_find(struct vm *vm, const char *tag);
/* True if one of that tag is still going. */
bool share_is_going(const struct vm *vm, const char *tag);

/* True if @p share is in use or has failed: nothing more is to be waited for. */
bool share_is_settled(const struct share *share);

/* Gives up for now. @p error a positive errno */
void share_fail(struct share *share, const char *phase, int error, const char *text);

/* Does the next thing for every share. */
void shares_step(struct vm *vm);
/* Another boot, or another connection of the same: what failed is tried again, and in another boot
 * nothing is mounted and devices of another token are made anew. */
void shares_begin(struct vm *vm, bool same_boot);
/* A connection of a boot that had one before: of what is not known to be mounted, an earlier one
 * may have left a mount. */
void shares_doubt(struct vm *vm);
/* The VM is gone, with its devices. */
void shares_forget_devices(struct vm *vm);
bool shares_are_settled(const struct vm *vm);
/* What serves a device ended. */
void shares_lost(struct vm *vm, const char *tag, bool restored, const char *text);
/* Frees everything; nothing is taken away. */
void shares_done(struct vm *vm);

#endif
