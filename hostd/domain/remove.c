/*
 * domain, a removal: the device, when the guest has let go of it; what serves it last. It works for
 * devices of which this daemon knows nothing but the name.
 */
#include "domain.h"
#include "leftover.h"

static void on_removed(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (reply->error) {
        domain_task_finish(task, reply->error, "%s %s: %s", task->is_share ? "share" : "adapter",
                           task->name, reply->text);
        return;
    }
    domain_task_sweep_old(task);
    domain_task_finish(task, 0, "%s", "");
}

static void on_description_to_remove(struct domain_task *task, const struct libvirt_reply *reply)
{
    struct description_device found;

    if (description_find(reply->result, task->alias, &found)) {
        domain_task_note_old(task, &found);
        domain_task_unplug(task, on_removed);
    } else {
        domain_task_sweep_old(task);
        domain_task_finish(task, 0, "the device did not exist");
    }
}

int domain_task_begin_removal(struct device_host *host, bool is_share, const char *name,
                              struct device_operation *operation)
{
    struct domain_task *task;
    int r = domain_task_new(host, is_share, name, operation, &task);

    if (r == 0) {
        task->is_removal = true;
        r = domain_task_describe(task, on_description_to_remove);
        if (r < 0)
            (void)domain_task_abandon(task);
    }
    if (r < 0 && device_domain_of(host)->was_up)
        domain_leftover_note(device_domain_of(host), is_share, name);
    return r < 0 ? r : 0;
}
