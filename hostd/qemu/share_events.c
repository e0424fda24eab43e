/* qemu share, what it hears: of its virtiofsd, and of its device that is being unplugged. */
#include "share.h"

#include "refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static void on_virtiofsd_ready(void *userdata, const char *remark)
{
    struct qemu_task *task = ((const struct qemu_share *)userdata)->task;

    (void)snprintf(task->remark, sizeof(task->remark), "%s%s%s", task->serving_remark,
                   task->serving_remark[0] && remark[0] ? "; " : "", remark);
    task->awaits_ready = false;
    task->ready(task);
}

static void on_virtiofsd_ended(void *userdata, const char *text)
{
    struct qemu_share *share = userdata;

    if (share->task && share->task->timer && share->task->error) {
        qemu_share_fail_now(share->task);
    } else if (share->task && share->task->awaits_ready) {
        qemu_share_fail(share->task, EIO, "", "virtiofsd cannot serve the share");
    } else if (!share->task) {
        struct device_qemu *qemu = share->qemu;
        struct aperture_status status;
        char device[QEMU_NAME_SIZE];

        /* At once, and before anybody unmounts: what the guest asks of a device that nobody serves
         * is never answered, and the kernel's driver waits for it forever; of a device that is
         * gone it fails with ENOTCONN. */
        if (qemu_name_device(QEMU_NAME_FS, share->tag, device) == 0)
            share->leaving = qmp_execute(qemu->qmp, "device_del", json_texts("id", device, NULL),
                                         qemu->host.timeout_ms, on_early_unplug, qemu) == 0;
        if (qemu_share_is_refused(share, &status))
            qemu->host.events.share_refused(qemu->host.userdata, share->tag, status.reason);
        else
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

static void on_aperture(void *userdata)
{
    const struct qemu_share *share = userdata;

    /* The end of the task, or of virtiofsd, is what tells otherwise. */
    if (!share->task && !device_server_has_ended(share->virtiofsd))
        share->qemu->host.events.aperture_changed(share->qemu->host.userdata, share->tag);
}

const struct device_server_events qemu_share_events = {
    .ready = on_virtiofsd_ready,
    .ended = on_virtiofsd_ended,
    .aperture = on_aperture,
};
