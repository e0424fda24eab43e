/* device host: who gives a VM its devices. This part only passes on to the kind at hand, and keeps
 * the promise that every `done` is called once and never from inside the call that began it. */
#include "device_host.h"

#include "device_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void device_host_init(struct device_host *host, const struct device_driver *driver, sd_event *event,
                      const struct config_vm *vm, const struct device_host_events *events,
                      void *userdata)
{
    host->driver = driver;
    host->event = sd_event_ref(event);
    host->vm = vm;
    host->events = *events;
    host->userdata = userdata;
    host->timeout_ms = vm->device_host.timeout_ms ? vm->device_host.timeout_ms : DEVICE_TIMEOUT_MS;
}

void device_host_rebase(struct device_host *host, const struct config_vm *vm)
{
    host->vm = vm;
}

void device_host_done(struct device_host *host)
{
    struct device_operation *operation;

    while ((operation = LIST_FIRST(&host->operations))) {
        if (operation->canceled)
            operation->canceled(operation->driver_data);
        device_operation_finish(operation, ECANCELED, "the daemon releases the device host");
    }
    host->event = sd_event_unref(host->event);
}

static struct device_operation *operation_new(struct device_host *host, device_done_fn done,
                                              void *userdata)
{
    struct device_operation *operation = calloc(1, sizeof(*operation));

    if (!operation)
        return NULL;
    operation->host = host;
    operation->done = done;
    operation->userdata = userdata;
    LIST_INSERT_HEAD(&host->operations, operation, of_host);
    return operation;
}

static void operation_free(struct device_operation *operation)
{
    LIST_REMOVE(operation, of_host);
    sd_event_source_disable_unref(operation->deferred);
    free(operation);
}

static void set_outcome(struct device_operation *operation, int error, const char *format,
                        va_list arguments)
{
    (void)vsnprintf(operation->text, sizeof(operation->text), format, arguments);
    operation->outcome.error = error;
    operation->outcome.text = operation->text;
}

void device_operation_finish(struct device_operation *operation, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_outcome(operation, error, format, arguments);
    va_end(arguments);
    if (operation->done)
        operation->done(operation->userdata, &operation->outcome);
    operation_free(operation);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
    struct device_operation *operation = userdata;

    (void)source;
    if (operation->done)
        operation->done(operation->userdata, &operation->outcome);
    operation_free(operation);
    return 0;
}

int device_operation_finish_later(struct device_operation *operation, int error, const char *format,
                                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_outcome(operation, error, format, arguments);
    va_end(arguments);
    return sd_event_add_defer(operation->host->event, &operation->deferred, on_deferred, operation);
}

struct device_host *device_host_free(struct device_host *host)
{
    return host ? host->driver->free(host) : NULL;
}

/* @return @p r, after an operation that could not begin is gone */
static int begun(struct device_operation *operation, int r)
{
    if (r < 0)
        operation_free(operation);
    return r;
}

int device_host_add_share(struct device_host *host, const struct device_share *share,
                          device_done_fn done, void *userdata)
{
    struct device_operation *operation = operation_new(host, done, userdata);

    return operation ? begun(operation, host->driver->add_share(host, share, operation)) : -ENOMEM;
}

int device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                             void *userdata)
{
    struct device_operation *operation = operation_new(host, done, userdata);

    return operation ? begun(operation, host->driver->remove_share(host, tag, operation)) : -ENOMEM;
}

int device_host_add_adapter(struct device_host *host, const struct device_adapter *adapter,
                            device_done_fn done, void *userdata)
{
    struct device_operation *operation = operation_new(host, done, userdata);

    return operation ? begun(operation, host->driver->add_adapter(host, adapter, operation))
                     : -ENOMEM;
}

int device_host_remove_adapter(struct device_host *host, const char *id, device_done_fn done,
                               void *userdata)
{
    struct device_operation *operation = operation_new(host, done, userdata);

    return operation ? begun(operation, host->driver->remove_adapter(host, id, operation))
                     : -ENOMEM;
}

int device_host_get_aperture(const struct device_host *host, const char *tag,
                             struct aperture_status *ret_status)
{
    if (host->driver->get_aperture)
        return host->driver->get_aperture(host, tag, ret_status);
    *ret_status = (struct aperture_status){.state = APERTURE_NONE};
    return 0;
}

int device_host_get_adapter_aperture(const struct device_host *host, const char *id,
                                     struct aperture_status *ret_status)
{
    if (host->driver->get_adapter_aperture)
        return host->driver->get_adapter_aperture(host, id, ret_status);
    *ret_status = (struct aperture_status){.state = APERTURE_NONE};
    return 0;
}

int device_host_confirm_aperture(const struct device_host *host, const char *tag, uint64_t number)
{
    return host->driver->confirm_aperture ? host->driver->confirm_aperture(host, tag, number)
                                          : -ENOENT;
}

int device_host_confirm_adapter_aperture(const struct device_host *host, const char *id,
                                         uint64_t number)
{
    return host->driver->confirm_adapter_aperture
               ? host->driver->confirm_adapter_aperture(host, id, number)
               : -ENOENT;
}

bool device_host_is_up(const struct device_host *host)
{
    return host->driver->is_up(host);
}

const char *device_host_version(const struct device_host *host)
{
    return host->driver->version ? host->driver->version(host) : "";
}

bool device_host_vouches(const struct device_host *host)
{
    return !config_vm_has_qemu(host->vm) || device_host_is_up(host);
}

struct json_object *device_host_remember(const struct device_host *host)
{
    return host->driver->remember ? host->driver->remember(host) : json_object_new_object();
}
