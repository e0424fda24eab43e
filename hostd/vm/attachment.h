/*
 * attachment: a share or an adapter, on its way from the host's side to the guest's.
 *
 * What is wanted is compared with what is there, and a step begins the next thing to do: get a
 * device (or a 9P port), have the guest set it up; or, if it is wanted no more, have the guest
 * release it and let the device go. Steps are taken from the event loop alone, of all of a VM's
 * attachments (attachments_step(), after vm_wake()), so that reboots, reconnects, restarts of the
 * daemon and changes at any moment take the same way.
 */
#ifndef GUESTLINK_HOSTD_ATTACHMENT_H
#define GUESTLINK_HOSTD_ATTACHMENT_H

#include "device/device_host.h"
#include "vm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct attachment;
struct operation;
struct virtio_device;

/* Why failed attachments get another try. */
enum attachments_occasion {
    ATTACHMENTS_AGAIN, /* the guest is there as before */
    ATTACHMENTS_BACK,  /* another connection of the same boot */
    ATTACHMENTS_BOOT,  /* another boot: its guest has nothing set up, its token may be another */
};

/* What shares and adapters do differently. */
struct attachment_kind {
    const char *name;  /* "share", "adapter" */
    const char *phase; /* in which the guest sets it up: "mount", "network" */

    /* True if @p a cannot begin while @p earlier is still going. */
    bool (*collides)(const struct attachment *earlier, const struct attachment *a);
    /* Gets what the guest's part needs. @return 0: it is there; -EAGAIN: it comes; or -errno */
    int (*prepare)(struct attachment *a);
    /* Says why prepare() could not, and what to do about it. May be NULL */
    void (*explain)(const struct attachment *a, int error, char *text, size_t capacity);
    /* True if others are to go, or to be set up, before the guest is asked for @p a. May be NULL */
    bool (*must_wait)(struct attachment *a);
    /* Before release() of one that goes: true if others are to be released first. May be NULL */
    bool (*is_needed)(struct attachment *a);
    /* Asks the guest to set it up. @return 0, 1: there is nothing to ask; or -errno */
    int (*set_up)(struct attachment *a);
    /* Asks the guest to release it. @return 0, or -errno: there is nobody to ask */
    int (*release)(struct attachment *a);
    void (*begin)(struct attachment *a, enum attachments_occasion occasion); /* May be NULL */
    /* Frees what is its own. @param go_on  what serves it goes on for the next daemon */
    void (*free)(struct attachment *a, bool go_on);

    /* device_host.h's; the device is the userdata */
    int (*add_device)(struct virtio_device *device, device_done_fn done);
    int (*remove_device)(struct device_host *host, const char *name, device_done_fn done,
                         void *userdata);
    /* QEMU made its device again. May be NULL */
    void (*renewed)(struct attachment *a);
    /* All that uses the device of that name fails for @p reason, and it goes */
    void (*refuse)(struct vm *vm, const char *name, const char *reason);
    void (*report_added)(const struct attachment *a);
    void (*report_removed)(const struct virtio_device *device);
};

/* The first member of struct share and struct adapter. */
struct attachment {
    struct attachment *next;
    const struct attachment_kind *kind;
    struct vm *vm;
    const char *name; /* the share's tag, the adapter's id */
    bool wanted;
    bool failed;     /* nothing more is tried until the next occasion; `error` says why */
    bool asked;      /* the guest has not answered yet */
    bool is_set;     /* by the guest, in this boot: mounted, configured */
    bool renew;      /* what served it was lost: release it whatever happens, then begin again; an
                      * adapter's: what the guest was asked before that counts for nothing */
    bool told;       /* its device was told in telemetry */
    bool leaving;    /* it goes, and waits for its device to go */
    int leave_error; /* why the device did not go, a positive errno */
    struct virtio_device *device;
    enum vm_device_state state;
    char *error;
    uint64_t asked_us;
    sd_event_source *timer; /* of the device phase */
    struct operation *operation;
    unsigned retries; /* after its server was lost */
    uint64_t retried_us;
};

/* Puts a new one, of which kind and name are set, at the end of the VM's list. */
void attachment_begin(struct attachment *a, struct vm *vm);

/* Takes it off the list, and frees it; its device stays. */
void attachment_free(struct attachment *a);

/* The next of that kind behind @p a, or the first (NULL). @return NULL: there is none */
struct attachment *attachment_next(const struct vm *vm, const struct attachment_kind *kind,
                                   const struct attachment *a);
size_t attachment_count(const struct vm *vm, const struct attachment_kind *kind);

/* The one of that name that is wanted (or, @p wanted false, one that is going). NULL: none. */
struct attachment *attachment_find(const struct vm *vm, const struct attachment_kind *kind,
                                   const char *name, bool wanted);

/* It is wanted no more: it is taken away, step by step, and forgotten then. */
void attachment_drop(struct attachment *a);

/* Asks the guest to release it. @return false: there is nobody to ask */
bool attachment_release(struct attachment *a);

/* Waits for the device, for as long as the phase is given. */
void attachment_await(struct attachment *a, enum vm_device_state state);

/* It has come to rest: tells everyone who waits for it. @p error 0 or a positive errno */
void attachment_settle(struct attachment *a, int error, const char *text);

/* Gives up for now. @p error a positive errno */
void attachment_fail(struct attachment *a, const char *phase, int error, const char *text);

/* What served it was lost: leaves it another try, or gives up if there were too many in a short
 * time. */
void attachment_retry(struct attachment *a, const char *given_up);

/* Replaces its `error`. @p text NULL: nothing is wrong */
void attachment_set_error(struct attachment *a, const char *text);

/* True if all of that kind (NULL: of both) are in use or have failed: nothing more is to be waited
 * for. */
bool attachments_are_settled(const struct vm *vm, const struct attachment_kind *kind);

/* The VM ended: devices on their way wait for its next start; whoever asked for one is answered
 * ENOTCONN and @p text. */
void attachments_end(struct vm *vm, const char *text);

/* Frees everything; nothing is taken away. */
void attachments_done(struct vm *vm);

/* In attachment_step.c: the next thing for every attachment. */
void attachments_step(struct vm *vm);

/* In attachment_step.c: retry what failed, in the loop's next turn. */
void attachments_begin(struct vm *vm, enum attachments_occasion occasion);

#endif
