/* qemu share: its life in the list, and how its making ends (well, or undone in the other
 * direction). */
#include "share.h"

#include "discard.h"
#include "refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After QEMU failed with the device: virtiofsd may be about to end, and its words say why. */
#define LAST_WORDS_WAIT_US UINT64_C(250000)

#define IOMMU_REMARK                                                                               \
    "QEMU does not support iommu_platform with vhost-user-fs (virtiofsd does not offer "           \
    "VIRTIO_F_ACCESS_PLATFORM): the device was added without iommu_platform and does not "         \
    "bounce through the guest's pool"

#define OFF      "\"aperture\" is \"off\" in the VM's configuration"
#define NO_TOKEN "the VM has no token"

struct qemu_share *qemu_share_find(const struct device_qemu *qemu, const char *tag)
{
    struct qemu_share *share = qemu->shares;

    while (share && strcmp(share->tag, tag) != 0)
        share = share->next;
    return share;
}

struct qemu_share *qemu_share_new(struct device_qemu *qemu, const struct device_share *from)
{
    struct qemu_share *share = calloc(1, sizeof(*share));

    if (!share || !(share->tag = strdup(from->tag))) {
        free(share);
        return NULL;
    }
    share->qemu = qemu;
    share_server_name(qemu->host.vm->id, from, share->name);
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
        device_server_stop(share->virtiofsd);
    else
        device_server_free(share->virtiofsd);
    free(share->tag);
    free(share);
    return NULL;
}

bool qemu_share_is_refused(const struct qemu_share *share, struct aperture_status *ret_status)
{
    return share->virtiofsd && device_server_get_aperture(share->virtiofsd, ret_status) == 0 &&
           ret_status->state == APERTURE_REFUSED;
}

int qemu_share_get_aperture(const struct device_host *host, const char *tag,
                            struct aperture_status *ret_status)
{
    const struct qemu_share *share = qemu_share_find((const struct device_qemu *)host, tag);

    if (!share || share->task || !share->virtiofsd)
        return -ENOENT;
    if (!share->obstacle) {
        int r = device_server_get_aperture(share->virtiofsd, ret_status);

        if (r == 0)
            qemu_discard_remark(share->discards, ret_status);
        return r;
    }
    *ret_status = (struct aperture_status){.state = APERTURE_NONE};
    (void)snprintf(ret_status->reason, sizeof(ret_status->reason), "%s", share->obstacle);
    return 0;
}

int qemu_share_confirm_aperture(const struct device_host *host, const char *tag, uint64_t number)
{
    const struct qemu_share *share = qemu_share_find((const struct device_qemu *)host, tag);

    return share && share->virtiofsd ? device_server_confirm_aperture(share->virtiofsd, number)
                                     : -ENOENT;
}

void qemu_share_drop(struct qemu_task *task)
{
    task->share = qemu_share_free(task->share, !task->share_adopted);
}

void qemu_share_fail_now(struct qemu_task *task)
{
    const char *words = "";
    char text[DEVICE_TEXT_SIZE + DEVICE_SERVER_TEXT_SIZE + 2];
    struct aperture_status status;

    if (qemu_share_is_refused(task->share, &status)) {
        task->error = EPERM;
        (void)snprintf(task->text, sizeof(task->text), "share %s: %s", task->share->tag,
                       status.reason);
    } else if (task->share->virtiofsd && device_server_has_ended(task->share->virtiofsd))
        words = device_server_describe(task->share->virtiofsd);
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
        qemu_share_fail_now(task);
        return;
    }
    if (task->device_sent && error != EREMOTEIO)
        qemu_task_tell(task, "device_del", json_texts("id", task->device, NULL));
    qemu_task_tell(task, "chardev-remove", json_texts("id", task->backend, NULL));
    if (device_server_has_ended(task->share->virtiofsd) || error == ECANCELED ||
        qemu_task_wait(task, LAST_WORDS_WAIT_US, qemu_share_fail_now) < 0)
        qemu_share_fail_now(task);
}

void qemu_share_succeed(struct qemu_task *task, bool created, bool iommu_platform)
{
    if (device_server_has_ended(task->share->virtiofsd)) {
        qemu_share_fail(task, EIO, "", "virtiofsd exited while the device was being added");
        return;
    }
    if (!task->iommu_platform)
        task->share->obstacle = task->aperture == CONFIG_APERTURE_OFF ? OFF : NO_TOKEN;
    else if (!iommu_platform)
        task->share->obstacle = IOMMU_REMARK;
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = iommu_platform;
    task->share->task = NULL;
    qemu_task_finish(task, 0, "%s%s%s", task->iommu_platform && !iommu_platform ? IOMMU_REMARK : "",
                     task->iommu_platform && !iommu_platform && task->remark[0] ? "; " : "",
                     task->remark);
}
