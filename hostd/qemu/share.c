/*
 * qemu share: its life in the list, how its making ends (well, or undone in the other direction),
 * and virtiofsd's own end.
 */
#include "share.h"

#include "refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After QEMU failed with the device: virtiofsd may be about to end, and its words say why. */
#define LAST_WORDS_WAIT_US UINT64_C(250000)

#define IOMMU_REMARK                                                                               \
    "QEMU cannot do iommu_platform with vhost-user-fs (virtiofsd does not offer "                  \
    "VIRTIO_F_ACCESS_PLATFORM): the device was added without and does not bounce through the "     \
    "guest's pool"

struct qemu_share *qemu_share_new(struct device_qemu *qemu, const struct device_share *from)
{
    struct qemu_share *share = calloc(1, sizeof(*share));
    uint64_t base, size;

    if (!share || !(share->tag = strdup(from->tag))) {
        free(share);
        return NULL;
    }
    /* One with another token has another aperture, and is not equal. */
    qemu_name_hash(
        share->name, qemu->host.vm->id, from->tag, from->path, from->read_only ? "ro" : "rw",
        options_read_token(from->options, &base, &size) > 0 ? from->options : NULL, NULL);
    share->qemu = qemu;
    share->next = qemu->shares;
    qemu->shares = share;
    return share;
}

struct qemu_share *qemu_share_free(struct qemu_share *share, bool stop)
{
    struct qemu_share **position;

    if (!share)
        return NULL;
    position = &share->qemu->shares;
    while (*position != share)
        position = &(*position)->next;
    *position = share->next;
    if (stop)
        virtiofsd_stop(share->virtiofsd);
    else
        virtiofsd_free(share->virtiofsd);
    free(share->tag);
    free(share);
    return NULL;
}

void qemu_share_drop(struct qemu_task *task)
{
    task->share = qemu_share_free(task->share, !task->share_adopted);
}

static void fail_now(struct qemu_task *task)
{
    const char *words = "";
    char text[DEVICE_TEXT_SIZE + VIRTIOFSD_TEXT_SIZE + 2];

    if (task->share->virtiofsd && virtiofsd_has_ended(task->share->virtiofsd))
        words = virtiofsd_describe(task->share->virtiofsd);
    (void)snprintf(text, sizeof(text), "%s%s%s", task->text, words[0] ? "; " : "", words);
    qemu_share_drop(task);
    qemu_task_finish(task, task->error, "%s", text);
}

void qemu_share_fail(struct qemu_task *task, int error, const char *what, const char *text)
{
    task->error = error == EREMOTEIO ? EIO : error;
    (void)snprintf(task->text, sizeof(task->text), "share %s: %s%s%s", task->share->tag, what,
                   what[0] ? ": " : "", text);
    if (!task->share->virtiofsd || task->share_adopted) {
        fail_now(task);
        return;
    }
    if (task->device_sent && error != EREMOTEIO)
        qemu_task_tell(task, "device_del", json_texts("id", task->device, NULL));
    qemu_task_tell(task, "chardev-remove", json_texts("id", task->backend, NULL));
    if (virtiofsd_has_ended(task->share->virtiofsd) || error == ECANCELED ||
        qemu_task_wait(task, LAST_WORDS_WAIT_US, fail_now) < 0)
        fail_now(task);
}

/* A refusal (the slot is just busy, say) ends nothing: the device's removal asks again. QEMU
 * answers in order, so that this comes before that removal looks. */
static void on_early_unplug(void *userdata, const struct qmp_reply *reply)
{
    struct device_qemu *qemu = userdata;

    if (reply->error == EREMOTEIO && !qemu_refusal_is(QEMU_REFUSAL_UNPLUGGING, reply))
        qemu_shares_stay(qemu);
}

void qemu_shares_stay(struct device_qemu *qemu)
{
    for (struct qemu_share *share = qemu->shares; share; share = share->next)
        share->leaving = false;
}

void qemu_share_on_virtiofsd_ended(void *userdata, const char *text)
{
    struct qemu_share *share = userdata;

    if (share->task && share->task->timer && share->task->error) {
        fail_now(share->task);
    } else if (share->task && share->task->awaits_ready) {
        qemu_share_fail(share->task, EIO, "", "virtiofsd could not serve it");
    } else if (!share->task) {
        struct device_qemu *qemu = share->qemu;
        char device[QEMU_NAME_SIZE];

        /* At once, and before anybody unmounts: what the guest asks of a device that nobody serves
         * is never answered, and the kernel's driver waits for it for ever; of a device that is
         * gone it fails with ENOTCONN. */
        if (qemu_name_device(QEMU_NAME_FS, share->tag, device) == 0)
            share->leaving = qmp_execute(qemu->qmp, "device_del", json_texts("id", device, NULL),
                                         qemu->host.timeout_ms, on_early_unplug, qemu) == 0;
        qemu->host.events.share_lost(qemu->host.userdata, share->tag, false, text);
    }
    /* Else QEMU is about to find out, and the step under way fails. */
}

void qemu_share_on_unplug_event(struct device_qemu *qemu, const char *id)
{
    char device[QEMU_NAME_SIZE];

    for (struct qemu_share *share = qemu->shares; share; share = share->next)
        if (qemu_name_device(QEMU_NAME_FS, share->tag, device) == 0 && strcmp(device, id) == 0)
            share->leaving = false;
}

void qemu_share_succeed(struct qemu_task *task, bool created, bool iommu_platform)
{
    if (virtiofsd_has_ended(task->share->virtiofsd)) {
        qemu_share_fail(task, EIO, "", "virtiofsd ended while the device was added");
        return;
    }
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = iommu_platform;
    task->share->task = NULL;
    qemu_task_finish(task, 0, "%s%s%s", task->iommu_platform && !iommu_platform ? IOMMU_REMARK : "",
                     task->iommu_platform && !iommu_platform && task->remark[0] ? "; " : "",
                     task->remark);
}
