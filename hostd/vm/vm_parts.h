/*
 * vm parts: the struct behind vm.h, for the files that make up a VM. Nobody else includes it.
 */
#ifndef GUESTLINK_HOSTD_VM_PARTS_H
#define GUESTLINK_HOSTD_VM_PARTS_H

#include "adapter.h"
#include "allowance.h"
#include "boot.h"
#include "bringup.h"
#include "config/settings.h"
#include "device/device_host.h"
#include "guest/connection.h"
#include "guest/guest.h"
#include "guest/session.h"
#include "operation.h"
#include "p9_share.h"
#include "payload.h"
#include "services.h"
#include "share.h"
#include "silence.h"
#include "state/warned.h"
#include "vm.h"
#include "vm_life.h"

struct vm {
    struct services *services;
    struct settings *settings; /* holds `config` */
    const struct config_vm *config;
    struct policy policy;

    struct settings *host_settings; /* holds the configuration that the device host was made of */
    struct device_host *host;
    char *host_error; /* why it cannot be reached; NULL: it can, or it is not known yet */
    bool host_error_told;
    bool unvouched_told; /* report_unvouched(), since it was up last */

    struct connection *connection; /* the accepted one, or NULL */
    struct connection *refused;    /* was accepted, and is left a moment to read why; or NULL */
    sd_event_source *refused_timer;
    struct session session; /* of that connection */
    struct silence silence;
    struct guest *guest;
    struct vm_handshakes handshakes;
    unsigned connections;  /* with those in the handshake */
    uint64_t accepted_us;  /* monotonic, accept(2) of this boot's first connection; 0: by an
                            * earlier daemon */
    uint64_t last_seen_us; /* real time */
    bool ended;            /* nothing of this boot runs any more */
    bool shutting_down;
    struct rate saves; /* those that do not wait */
    bool saving;       /* at the end of this turn of the loop */
    bool unsaved;      /* the last save failed */

    struct boot boot;
    struct bringup bringup;
    struct payload payload;
    struct shares shares;
    struct p9_bounds p9;
    struct adapters adapters;
    struct exec *execs;
    unsigned exec_count;
    uint32_t exec_next; /* the number of the next command */
    struct operation *operations;

    struct allowances allowances;
    struct warned warned;
    uint64_t exhausted;    /* lines of the guest's kernel, this boot */
    uint64_t exhausted_us; /* when the newest was heard of */

    sd_event_source *connect_timer;
    sd_event_source *dropped_timer;
    sd_event_source *save_timer;
    void (*left)(void *userdata, struct vm *vm); /* see vm_leave() */
    void *left_userdata;
    sd_event_source *leave_timer;
};

/* Writes the VM's document at the end of this turn of the loop, as often as LIMITS_SAVES_BURST lets
 * it, or after LIMITS_SAVE_DELAY_MS. */
void vm_save_now(struct vm *vm);
void vm_save_soon(struct vm *vm);
/* Writes it if it is to be written. */
void vm_save_flush(struct vm *vm);
/* Reads what an earlier daemon left; @return its memory of the device host (owned), or NULL */
struct json_object *vm_recall(struct vm *vm);

/* A share or an adapter went: is a leaving VM done? */
void vm_check_left(struct vm *vm);
/* Tells, once, why the device host cannot be reached, if it cannot. */
void vm_tell_host_error(struct vm *vm);
/* The guest said its last word. */
void vm_said_farewell(struct vm *vm);
/* Closes the guest's connection. @p reason a word for telemetry; @p error an errno or 0 */
void vm_drop_connection(struct vm *vm, const char *reason, int error);
/* Waits for a guest to connect, for as long as that phase is given. */
void vm_await_guest(struct vm *vm);

/* What the VM hears of its device host; the userdata is the VM. */
extern const struct device_host_events vm_device_host_events;

#endif
