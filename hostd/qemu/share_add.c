/*
 * qemu share, added: is QEMU's memory shared; is the device there already (then it is equal and
 * taken over, or unplugged); if not, it is made (share_make.c).
 */
#include "share.h"

#include "discard.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void on_old_unplugged(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        qemu_share_fail(task, reply->error, "a different device with that tag exists", reply->text);
    } else {
        qemu_share_remove_backend(task, task->old_backend);
        qemu_share_make(task);
    }
}

static void on_existing_iommu(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_share_fail(task, reply->error, "cannot query the device in QEMU", reply->text);
    else
        qemu_share_succeed(task, false, qmp_reader_flag(reply->result));
}

/* @return 0 or -errno */
static int adopt(struct qemu_task *task)
{
    const struct device_qemu *qemu = task->qemu;
    struct qemu_share *share = task->share;
    int r = device_server_adopt(qemu->host.event, qemu->directory, share->name, &qemu_share_events,
                                share, &share->virtiofsd);

    if (r < 0)
        r = device_server_adopt(qemu->host.event, qemu->old_directory, share->name,
                                &qemu_share_events, share, &share->virtiofsd);
    return r;
}

static void on_existing_chardev(struct qemu_task *task, const struct qmp_reply *reply)
{
    const char *chardev = qmp_reader_text(reply->result);

    if (reply->error && reply->error != EREMOTEIO) {
        qemu_share_fail(task, reply->error, "cannot query the device in QEMU", reply->text);
    } else if (chardev && strcmp(chardev, task->backend) == 0 && adopt(task) == 0) {
        task->share_adopted = true;
        qemu_task_next_get(task, "iommu_platform", QMP_SHAPE_FLAG, on_existing_iommu);
    } else {
        (void)snprintf(task->old_backend, sizeof(task->old_backend), "%s", chardev ? chardev : "");
        /* Another share's, or its virtiofsd is gone, and QEMU cannot connect a device again. */
        qemu_task_unplug(task, on_old_unplugged);
    }
}

static void on_peripherals(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_share_fail(task, reply->error, "cannot list QEMU's devices", reply->text);
    else if (!qemu_task_device_is_listed(task, reply))
        qemu_share_make(task);
    else
        qemu_task_next_get(task, "chardev", QMP_SHAPE_TEXT, on_existing_chardev);
}

static void on_looked(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        qemu_share_fail(task, reply->error, "cannot query what discards QEMU's memory",
                        reply->text);
    } else if (qemu_discard_forbids(task)) {
        qemu_share_fail(task, EPERM, "the aperture is required", task->discards);
    } else {
        task->share->discards = task->discards;
        qemu_task_next_list(task, on_peripherals);
    }
}

static void on_memory(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error == ENOTSUP)
        qemu_share_fail(task, ENOTSUP, "virtiofs needs shared guest memory", reply->text);
    else if (reply->error)
        qemu_share_fail(task, reply->error, "cannot query QEMU's memory backends", reply->text);
    else
        qemu_discard_look(task, on_looked);
}

/* The share of a task that may begin. @return 0 or -errno */
static int begin(struct qemu_task *task, const struct device_share *share)
{
    (void)qemu_share_free(qemu_share_find(task->qemu, share->tag),
                          false); /* looked at as by a new daemon */
    task->share = qemu_share_new(task->qemu, share);
    if (!task->share || share_server_spec_copy(&task->serve, share) < 0)
        return -ENOMEM;
    task->share->task = task;
    task->cleanup = qemu_share_drop;
    task->iommu_platform = task->serve.iommu_platform;
    task->aperture = task->serve.aperture;
    (void)snprintf(task->backend, sizeof(task->backend), "%s%s", QEMU_NAME_FS, task->share->name);
    return qemu_memory_begin(task, on_memory);
}

int qemu_share_add(struct device_host *host, const struct device_share *share,
                   struct device_operation *operation)
{
    struct qemu_task *task;
    struct stat status;
    int r = qemu_task_new(host, QEMU_NAME_FS, share->tag, operation, &task);

    if (r != 0)
        return r < 0 ? r : 0;
    if (stat(share->path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        (void)qemu_task_abandon(task);
        return device_operation_finish_later(
            operation, ENOENT,
            "share %s: %s is not a directory of this host; create it, or fix \"path\" of the "
            "share",
            share->tag, share->path);
    }
    r = begin(task, share);
    if (r < 0)
        (void)qemu_task_abandon(task);
    return r;
}
