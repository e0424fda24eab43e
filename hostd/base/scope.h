/*
 * scope: moves a process into its own transient systemd unit, so that it keeps running when the
 * daemon's unit is stopped. Where systemd does not run there is nothing to do.
 */
#ifndef GUESTLINK_HOSTD_SCOPE_H
#define GUESTLINK_HOSTD_SCOPE_H

#include <sys/types.h>
#include <systemd/sd-event.h>

/* For systemd's answer. */
#define SCOPE_TIMEOUT_MS 5000u

struct scope;

/* @p remark: "" or why the process stays in the daemon's unit. The scope is then only good for
 * scope_free(). */
typedef void (*scope_done_fn)(void *userdata, const char *remark);

/*
 * Begins to move @p pid into the unit @p name (".scope" at its end), over the system bus.
 *
 * @param pid   0: it already has its own unit
 * @param done  called once, from the event loop, also where systemd does not run
 * @return 0 or -errno
 */
int scope_new(sd_event *event, const char *name, const char *description, pid_t pid,
              scope_done_fn done, void *userdata, struct scope **ret_scope);

/* NULL is fine. @return NULL */
struct scope *scope_free(struct scope *scope);

#endif
