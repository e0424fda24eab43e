/*
 * device driver: what a kind of device host implements, and the operations that are open on one.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_DRIVER_H
#define GUESTLINK_HOSTD_DEVICE_DRIVER_H

#include "device_host.h"

#include <stdarg.h>
#include <stddef.h>
#include <sys/queue.h>

#define DEVICE_TEXT_SIZE 4096u

/* Time for one operation if the configuration says 0. */
#define DEVICE_TIMEOUT_MS 15000u

struct device_operation;

/* Each as its namesake in device_host.h. */
struct device_driver {
    int (*add_share)(struct device_host *host, const struct device_share *share,
                     struct device_operation *operation);
    int (*remove_share)(struct device_host *host, const char *tag,
                        struct device_operation *operation);
    int (*add_adapter)(struct device_host *host, const struct device_adapter *adapter,
                       struct device_operation *operation);
    int (*remove_adapter)(struct device_host *host, const char *id,
                          struct device_operation *operation);
    /* NULL: no process that it knows of has any of the guest's memory */
    int (*get_aperture)(const struct device_host *host, const char *tag,
                        struct aperture_status *ret_status);
    int (*get_adapter_aperture)(const struct device_host *host, const char *id,
                                struct aperture_status *ret_status); /* NULL: likewise */
    int (*confirm_aperture)(const struct device_host *host, const char *tag, uint64_t number);
    int (*confirm_adapter_aperture)(const struct device_host *host, const char *id,
                                    uint64_t number);
    bool (*is_up)(const struct device_host *host);
    const char *(*version)(const struct device_host *host); /* NULL: it is none of QEMU's */
    struct json_object *(*remember)(const struct device_host *host); /* NULL: nothing */
    struct device_host *(*free)(struct device_host *host);
};

/* The head of every kind's own struct; device_host_init() fills it, device_host_done() ends it. */
struct device_host {
    const struct device_driver *driver;
    sd_event *event;
    const struct config_vm *vm;
    struct device_host_events events;
    void *userdata;
    LIST_HEAD(, device_operation) operations;
    uint32_t timeout_ms; /* for one operation */
};

void device_host_init(struct device_host *host, const struct device_driver *driver, sd_event *event,
                      const struct config_vm *vm, const struct device_host_events *events,
                      void *userdata);

/* Ends the operations that are still open with ECANCELED. */
void device_host_done(struct device_host *host);

/* One call of add or remove, from its begin to its `done`. */
struct device_operation {
    LIST_ENTRY(device_operation) of_host;
    struct device_host *host;
    device_done_fn done;
    void *userdata;
    sd_event_source *deferred;
    struct device_outcome outcome;
    char text[DEVICE_TEXT_SIZE];
    /* The driver's own for this operation: told if the operation is canceled under it. */
    void *driver_data;
    void (*canceled)(void *driver_data);
};

/*
 * Ends an operation from within the event loop: calls its `done` and frees it.
 *
 * @param error  0 or a positive errno; outcome.created and .iommu_platform were set before
 */
void device_operation_finish(struct device_operation *operation, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As device_operation_finish(), in the loop's next turn: for what is decided inside the call that
 * began it. @return 0 or -errno (then the operation goes on) */
int device_operation_finish_later(struct device_operation *operation, int error, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));

#endif
