/*
 * vm parts: the struct behind vm.h, for the files that make up a VM. Nobody else includes it.
 *
 * What happens at the bottom (a device came, the guest answered) is noted where it belongs, and
 * then vm_wake() is called; the VM looks at everything from the top, in the loop's next turn.
 */
#ifndef GUESTLINK_HOSTD_VM_PARTS_H
#define GUESTLINK_HOSTD_VM_PARTS_H

#include "allowance.h"
#include "base/aperture_status.h"
#include "boot.h"
#include "bringup.h"
#include "guest/session.h"
#include "guest_clock.h"
#include "p9_share.h"
#include "payload.h"
#include "saver.h"
#include "silence.h"
#include "state/warned.h"
#include "vm_owner.h"

struct attachment;
struct device_host;
struct exec;
struct guest;
struct operation;
struct virtio_device;

struct vm {
    struct services *services;
    struct settings *settings; /* holds `config` */
    const struct config_vm *config;
    struct policy policy;
    sd_event_source *wake; /* vm_wake() */
    struct saver saver;    /* of vm_store.h's document */
    bool unsaved;          /* the last save failed */

    struct settings *host_settings; /* holds the configuration that the device host was made of */
    struct device_host *host;
    char *host_error; /* why it cannot be reached; NULL: it can, or it is not known yet */
    bool host_error_told;
    bool unvouched_told; /* report_unvouched(), since it was up last */

    struct connection *connection; /* the accepted one, or NULL */
    struct connection *refused;    /* was accepted, and is left a moment to read why; or NULL */
    sd_event_source *refused_timer;
    sd_event_source *connect_timer;
    sd_event_source *farewell_timer;
    struct session session; /* of that connection */
    struct silence silence;
    struct guest_clock clock;
    struct guest *guest;
    struct vm_handshakes handshakes;
    unsigned connections;  /* with those in the handshake */
    uint64_t last_seen_us; /* real time */
    bool ended;            /* nothing of this boot runs any more */
    bool shutting_down;

    struct boot boot;
    enum bringup_step bringup;
    struct payload payload;
    struct attachment *attachments;
    struct virtio_device *devices;
    struct json_object *folders; /* of the devices of an earlier daemon: vm_store.h's "folders" */
    struct p9_bounds p9;
    LIST_HEAD(, exec) execs;
    unsigned exec_count;
    uint32_t exec_next; /* the number of the next command */
    LIST_HEAD(, operation) operations;

    struct allowances allowances;
    sd_event_source *dropped_timer;
    struct warned warned;
    char aperture_reason[APERTURE_REASON_SIZE]; /* told last, or "": its devices are confined */
    uint64_t exhausted;                         /* lines of the guest's kernel, this boot */
    uint64_t exhausted_us;                      /* when the newest was heard of */

    void (*left)(void *userdata, struct vm *vm); /* see vm_leave() */
    void *left_userdata;
    sd_event_source *leave_timer;
};

/* Adds the shares and adapters that the configuration names and that are not there yet. One that
 * was added at runtime becomes the file's. */
void vm_add_configured(struct vm *vm);

/* What the VM hears of its device host; the userdata is the VM. */
extern const struct device_host_events vm_device_host_events;

/* Something changed: everything takes its next step, from the event loop. */
static inline void vm_wake(struct vm *vm)
{
    (void)sd_event_source_set_enabled(vm->wake, SD_EVENT_ONESHOT);
}

#endif
