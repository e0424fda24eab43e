/* device none: the device host of a VM whose devices somebody else makes. */
#include "device_none.h"

#include "device_driver.h"

#include <errno.h>
#include <stdlib.h>

struct device_none {
    struct device_host host;
    sd_event_source *up; /* tells `up` in the loop's first turn */
    bool is_up;
};

static int add_share(struct device_host *host, const struct device_share *share,
                     struct device_operation *operation)
{
    (void)host;
    (void)share;
    operation->outcome.created = true;
    return device_operation_finish_later(operation, 0, "%s", "");
}

static int add_adapter(struct device_host *host, const struct device_adapter *adapter,
                       struct device_operation *operation)
{
    (void)host;
    (void)adapter;
    operation->outcome.created = true;
    return device_operation_finish_later(operation, 0, "%s", "");
}

static int remove_device(struct device_host *host, const char *name,
                         struct device_operation *operation)
{
    (void)host;
    (void)name;
    return device_operation_finish_later(operation, 0, "%s", "");
}

static bool is_up(const struct device_host *host)
{
    return ((const struct device_none *)host)->is_up;
}

static struct device_host *none_free(struct device_host *host)
{
    struct device_none *none = (struct device_none *)host;

    device_host_done(host);
    sd_event_source_disable_unref(none->up);
    free(none);
    return NULL;
}

static int on_start(sd_event_source *source, void *userdata)
{
    struct device_none *none = userdata;

    (void)source;
    none->is_up = true;
    none->host.events.up(none->host.userdata);
    return 0;
}

int device_none_new(sd_event *event, const struct config_vm *vm,
                    const struct device_host_events *events, void *userdata,
                    struct device_host **ret_host)
{
    static const struct device_driver driver = {
        .add_share = add_share,
        .remove_share = remove_device,
        .add_adapter = add_adapter,
        .remove_adapter = remove_device,
        .is_up = is_up,
        .free = none_free,
    };
    struct device_none *none = calloc(1, sizeof(*none));
    int r;

    if (!none)
        return -ENOMEM;
    device_host_init(&none->host, &driver, event, vm, events, userdata);
    r = sd_event_add_defer(event, &none->up, on_start, none);
    if (r < 0) {
        (void)none_free(&none->host);
        return r;
    }
    *ret_host = &none->host;
    return 0;
}
