/*
 * scope: moves a process into its own transient systemd unit. A scope, not a service: systemd
 * then takes a process as it is, with its mounts and descriptors, and we still wait for it.
 */
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

struct scope {
    sd_bus *bus;
    sd_bus_slot *slot;
    sd_event_source *deferred;
    scope_done_fn done;
    void *userdata;
    char remark[512];
};

struct scope *scope_free(struct scope *scope)
{
    if (!scope)
        return NULL;
    sd_event_source_disable_unref(scope->deferred);
    sd_bus_slot_unref(scope->slot);
    sd_bus_close_unref(scope->bus);
    free(scope);
    return NULL;
}

static void remark(struct scope *scope, const char *name, const char *why)
{
    (void)snprintf(scope->remark, sizeof(scope->remark),
                   "cannot create the systemd unit %s: %s; the process stays in the daemon's "
                   "unit and may be stopped with it",
                   name, why);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
    struct scope *scope = userdata;

    (void)source;
    scope->done(scope->userdata, scope->remark);
    return 0;
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct scope *scope = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(message);

    (void)ret_error;
    if (error)
        remark(scope, "for it", error->message ? error->message : error->name);
    scope->done(scope->userdata, scope->remark);
    return 0;
}

/* StartTransientUnit(name, mode, properties, auxiliary units), org.freedesktop.systemd1(5) */
static int ask(struct scope *scope, sd_event *event, const char *name, const char *description,
               pid_t pid)
{
    sd_bus_message *message = NULL;
    int r;

    r = sd_bus_open_system(&scope->bus);
    if (r >= 0)
        r = sd_bus_attach_event(scope->bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_message_new_method_call(
            scope->bus, &message, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager", "StartTransientUnit");
    if (r >= 0)
        r = sd_bus_message_append(message, "ssa(sv)a(sa(sv))", name, "fail", 3, "Description", "s",
                                  description, "PIDs", "au", 1, (uint32_t)pid, "CollectMode", "s",
                                  "inactive-or-failed", 0);
    if (r >= 0)
        r = sd_bus_call_async(scope->bus, &scope->slot, message, on_answer, scope,
                              (uint64_t)SCOPE_TIMEOUT_MS * 1000);
    sd_bus_message_unref(message);
    return r;
}

int scope_new(sd_event *event, const char *name, const char *description, pid_t pid,
              scope_done_fn done, void *userdata, struct scope **ret_scope)
{
    struct scope *scope = calloc(1, sizeof(*scope));
    int r;

    if (!scope)
        return -ENOMEM;
    scope->done = done;
    scope->userdata = userdata;
    r = pid > 0 && sd_booted() > 0 ? ask(scope, event, name, description, pid) : 0;
    if (r < 0)
        remark(scope, name, strerrordesc_np(-r));
    if (!scope->slot) {
        r = sd_event_add_defer(event, &scope->deferred, on_deferred, scope);
        if (r < 0) {
            (void)scope_free(scope);
            return r;
        }
    }
    *ret_scope = scope;
    return 0;
}
