/* qemu discard: devices of QEMU's that take pages of the guest's memory away. */
#include "discard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ADVICE                                                                                     \
    "after QEMU discards a page, the guest and the device's process would use different "          \
    "memory; start QEMU without it"

#define BALLOON    "the VM has a virtio-balloon device: " ADVICE
#define VIRTIO_MEM "the VM has a virtio-mem device: " ADVICE

static void on_memory_devices(struct qemu_task *task, const struct qmp_reply *reply)
{
    const struct qmp_reply none = {.error = 0, .text = ""};

    for (size_t i = 0; !reply->error && i < json_count(reply->result); i++)
        if (strcmp(qmp_reader_text(json_member(json_element(reply->result, i), "type")),
                   "virtio-mem") == 0)
            task->discards = VIRTIO_MEM;
    task->looked(task, reply->error == EREMOTEIO ? &none : reply); /* refused: a machine without */
}

/* QEMU refuses that (DeviceNotActive) where it has none. */
static void on_balloon(struct qemu_task *task, const struct qmp_reply *reply)
{
    int64_t actual;

    if (reply->error && reply->error != EREMOTEIO) {
        task->looked(task, reply);
        return;
    }
    if (!reply->error && qmp_reader_number(json_member(reply->result, "actual"), &actual))
        task->discards = BALLOON;
    qemu_task_next(task, "query-memory-devices", NULL, QMP_SHAPE_MEMORY_DEVICES, on_memory_devices);
}

void qemu_discard_look(struct qemu_task *task, qemu_step_fn looked)
{
    const struct qmp_reply none = {.error = 0, .text = ""};

    task->looked = looked;
    if (task->iommu_platform)
        qemu_task_next(task, "query-balloon", NULL, QMP_SHAPE_OBJECT, on_balloon);
    else
        looked(task, &none);
}

bool qemu_discard_forbids(const struct qemu_task *task)
{
    return task->discards && task->aperture == CONFIG_APERTURE_REQUIRE;
}

void qemu_discard_remark(const char *discards, struct aperture_status *status)
{
    if (discards && status->state == APERTURE_ENFORCED)
        (void)snprintf(status->reason, sizeof(status->reason), "%s", discards);
}
