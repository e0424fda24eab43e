/*
 * report: what happened, told to people (a line of the log) and to programs (telemetry) at once.
 *
 * Nothing else in the daemon words an event, or writes a line about a VM: whatever a guest, its
 * VMM or a stranger can cause passes an allowance (allowance.h). What did not pass is counted and
 * told in EventsDropped.
 */
#ifndef GUESTLINK_HOSTD_REPORT_H
#define GUESTLINK_HOSTD_REPORT_H

#include "allowance.h"
#include "boot.h"
#include "telemetry/telemetry.h"

#include "protocol/event.h"

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

struct adapter;
struct attachment;
struct fields;
struct peer;
struct services;
struct share;
struct virtio_device;
struct vm;

/* True if the VM may cause one more line of that kind. For the report files alone, before they word
 * one. */
bool report_allow(struct vm *vm, enum allowance_kind kind);
/* The same of a line of the payload's output. @param size  its bytes */
bool report_allow_output(struct vm *vm, size_t size);
/* Says how many lines were dropped, if any. Done in time by itself; and when the VM is released.
 */
void report_dropped(struct vm *vm);
void report_nobodys_dropped(struct services *services);
/* Writes an event of this VM. @param fields  NULL for none */
void report_emit(struct vm *vm, enum telemetry_event event, const struct fields *fields);

/* A line of the log about this VM, without an event. @param level  LOG_… */
void report_line(struct vm *vm, enum allowance_kind kind, int level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A remark on the operator's own file. @param event  for telemetry, too */
void report_config_warning(struct vm *vm, const char *remark, bool event);
/* A listening socket has to wait. */
void report_accept_paused(struct services *services, const char *reason);

/* The handshake, counted in services->counters too. @p vm NULL: nobody's; @p peer may be NULL */
void report_refused(struct services *services, struct vm *vm, const struct peer *peer,
                    uint32_t status, const char *reason);
void report_protocol_error(struct services *services, struct vm *vm, const struct peer *peer,
                           const char *reason);
void report_handshake_timeout(struct services *services, struct vm *vm, const struct peer *peer,
                              uint32_t timeout_ms);
/* Somebody has the VM's CID while its QEMU does not answer: once, until QEMU has answered. */
void report_unvouched(struct vm *vm, const struct peer *peer, uint32_t timeout_ms);

/* The guest. */
void report_connected(struct vm *vm, bool same_boot);
void report_kernel(struct vm *vm);
void report_capabilities(struct vm *vm, enum telemetry_event event);
void report_pool_trouble(struct vm *vm, enum boot_pool_trouble trouble);
void report_pool_exhausted(struct vm *vm, const struct event_pool_exhausted *exhausted);
/* @p again: it was ready in this boot before, and came back */
void report_ready(struct vm *vm, bool again);
void report_child_exit(struct vm *vm, const struct event_child_exited *exited);
void report_guest_log(struct vm *vm, const struct event_log_record *record);
void report_output(struct vm *vm, const struct event_process_output *output);
void report_clock_stepped(struct vm *vm, const struct event_clock_stepped *stepped);
/* The last lines of what was printed and not logged; bounded, so no allowance is asked. */
void report_last_output(struct vm *vm);
void report_farewell(struct vm *vm, const struct event_farewell *farewell);
void report_disconnected(struct vm *vm, const char *reason, int error);
void report_payload(struct vm *vm, int error, const char *text);
/* A small step (hostname, entropy) failed. */
void report_step_failed(struct vm *vm, const char *step, int error, const char *text);

/* A phase's deadline: @p what it is about, or NULL. */
void report_timeout(struct vm *vm, const char *phase, uint32_t timeout_ms, const char *what);

/* Devices. @p kind "share", "adapter", "device-host"; @p error a positive errno */
void report_device_failed(struct vm *vm, const char *kind, const char *name, const char *phase,
                          int error, const char *text);
void report_share_added(const struct attachment *a);
void report_share_removed(const struct virtio_device *device);
void report_aperture(const struct virtio_device *device);
void report_mount(const struct share *share, int error, const char *text);
void report_adapter_added(const struct attachment *a);
void report_adapter_removed(const struct virtio_device *device);
void report_network(const struct adapter *adapter, int error, const char *text);

#endif
