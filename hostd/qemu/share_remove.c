/*
 * qemu share, its removal: the device, when the guest released it; the chardev; virtiofsd last. It
 * works for devices of which this daemon knows nothing but the tag.
 */
#include "share.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Ends the virtiofsd of that name, if it is this VM's: what is in its folder, and what an earlier
 * daemon remembered of it, for that may be one of the time when there was one folder for all.
 */
static void sweep(struct device_qemu *qemu, const char *name)
{
    struct json_object *shares = json_member(qemu->memory, "shares");

    if (!device_name_is_hash(name))
        return;
    device_server_sweep(qemu->host.event, qemu->directory, name);
    if (!qmp_reader_is_object(shares))
        return;
    json_object_object_foreach(shares, tag, value)
    {
        const char *text = qmp_reader_text(value);

        (void)tag;
        if (text && strcmp(text, name) == 0)
            device_server_sweep(qemu->host.event, qemu->old_directory, name);
    }
}

void qemu_share_sweep_all(struct device_qemu *qemu)
{
    struct json_object *shares = json_member(qemu->memory, "shares");

    if (!qmp_reader_is_object(shares))
        return;
    json_object_object_foreach(shares, tag, value)
    {
        const char *name = qmp_reader_text(value);

        (void)tag;
        if (name)
            sweep(qemu, name);
    }
}

void qemu_share_remove_backend(struct qemu_task *task, const char *chardev)
{
    const char *name = chardev + sizeof(QEMU_NAME_FS) - 1;

    if (strncmp(chardev, QEMU_NAME_FS, sizeof(QEMU_NAME_FS) - 1) != 0 || !device_name_is_hash(name))
        return;
    qemu_task_tell(task, "chardev-remove", json_texts("id", chardev, NULL));
    sweep(task->qemu, name);
}

static void finish(struct qemu_task *task, const char *text)
{
    struct qemu_share *share = task->qemu->shares, *next;

    for (; share; share = next) {
        next = share->next;
        if (strcmp(share->tag, task->name) != 0)
            continue;
        /* A device that went by itself was not asked for its chardev. */
        (void)snprintf(task->backend, sizeof(task->backend), "%s%s", QEMU_NAME_FS, share->name);
        (void)qemu_share_free(share, true);
    }
    qemu_share_remove_backend(task, task->backend);
    qemu_task_finish(task, 0, "%s", text);
}

static void on_unplugged(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_task_finish(task, reply->error == EREMOTEIO ? EIO : reply->error, "share %s: %s",
                         task->name, reply->text);
    else
        finish(task, "");
}

static void on_chardev(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error == EREMOTEIO) { /* no such device */
        finish(task, "the device did not exist");
        return;
    }
    if (reply->error) {
        on_unplugged(task, reply);
        return;
    }
    (void)snprintf(task->backend, sizeof(task->backend), "%s", qmp_reader_text(reply->result));
    qemu_task_unplug(task, on_unplugged);
}

int qemu_share_remove(struct device_host *host, const char *tag, struct device_operation *operation)
{
    struct qemu_task *task;
    int r = qemu_task_new(host, QEMU_NAME_FS, tag, operation, &task);

    if (r != 0)
        return r < 0 ? r : 0;
    r = qemu_task_begin_get(task, "chardev", QMP_SHAPE_TEXT, on_chardev);
    if (r < 0)
        (void)qemu_task_abandon(task);
    return r;
}
