/* share mount: the guest is asked to mount a share, or to unmount it. */
#include "base/clock.h"
#include "base/limits.h"
#include "device_aperture.h"
#include "guest/guest.h"
#include "operation.h"
#include "p9_share.h"
#include "report.h"
#include "services.h"
#include "share.h"
#include "share_nest.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdio.h>

/* If what serves it on the host ended, the guest can only know that nobody answered. */
static void fail_mount(struct share *share, const struct guest_answer *answer)
{
    const char *trouble = p9_share_trouble(share->p9);
    struct virtio_device *device = share->attachment.device;
    char text[2 * LIMITS_TEXT];

    if (device && device->aperture.state == APERTURE_REFUSED) {
        device_aperture_refuse(device);
        return;
    }

    (void)snprintf(text, sizeof(text), "%.*s%s%.*s", (int)LIMITS_TEXT - 8, answer->text,
                   trouble ? "; " : "", (int)LIMITS_TEXT, trouble ? trouble : "");
    attachment_fail(&share->attachment, "mount", answer->error, text);
}

/* Notes what is certain in any case. */
static void take_answer(struct share *share, const struct guest_answer *answer)
{
    share->attachment.asked = false;
    if (answer->error != ECONNRESET && answer->error != ETIMEDOUT)
        share->unsure = false;
    vm_wake(share->attachment.vm);
}

static void on_mounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;
    struct attachment *a = &share->attachment;

    take_answer(share, answer);
    a->is_set = answer->error == 0;
    if (answer->error == ECONNRESET) {
        a->state = VM_DEVICE_WAITING;
        if (a->wanted)
            attachment_settle(a, 0,
                              "the guest disconnected; will mount the share when it "
                              "reconnects");
        return;
    }
    if (a->renew) { /* its server was lost meanwhile */
        (void)attachment_release(a);
        return;
    }
    /* Linux' mount returns before the device serves. */
    if (a->device && !(device_aperture_await(a->device) && a->is_set) && !a->told &&
        a->device->aperture.state != APERTURE_REFUSED && device_aperture_is_kept(a->device))
        virtio_device_tell(a);
    latency_add(&a->vm->services->latencies.mount, clock_now_us() - a->asked_us);
    report_mount(share, answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(a->vm, "mount", a->vm->config->timeouts.mount, a->name);
    if (answer->error != 0 && a->wanted)
        fail_mount(share, answer);
    else
        attachment_set_error(a, NULL);
}

int share_mount(struct attachment *a)
{
    const struct share *share = share_of(a);
    const struct config_vm *config = a->vm->config;
    bool virtiofs = share->transport == POLICY_TRANSPORT_VIRTIOFS;
    struct request_mount request = {
        .flags = share->config.read_only ? REQUEST_MOUNT_READ_ONLY : 0,
        .transport = virtiofs ? REQUEST_TRANSPORT_VIRTIOFS : REQUEST_TRANSPORT_9P,
        .port = p9_share_port(share->p9),
        .timeout_ms = config->timeouts.mount,
        .tag = wire_text_of(a->device ? a->device->name : a->name),
        .target = wire_text_of(share->config.target),
    };
    uint8_t payload[LIMITS_PATH + 256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_mount_pack(&writer, &request);
    if (writer.overflow)
        return -EMSGSIZE;
    p9_share_clear_trouble(share->p9);
    return guest_ask(a->vm->guest, FRAME_MOUNT, payload, writer.size,
                     config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_mounted, a);
}

/* True of an answer after which nothing of ours is on the target: it was unmounted; nothing is
 * mounted there (EINVAL, as umount(2) says it); or there is no such directory. */
static bool is_gone(int error)
{
    return error == 0 || error == EINVAL || error == ENOENT || error == ENOTDIR;
}

/* It could not be unmounted, and stays in use. */
static void keep(struct share *share, const struct guest_answer *answer)
{
    struct attachment *a = &share->attachment;
    struct operation *operation = a->operation;

    report_device_failed(a->vm, "share", a->name, "unmount", answer->error, answer->text);
    share_keep(share);
    if (share->aside)
        share_nest_keep(share, answer->error, answer->text);
    operation_finish(operation, answer->error, answer->text);
}

static void on_unmounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;
    struct attachment *a = &share->attachment;

    take_answer(share, answer);
    if (!is_gone(answer->error) && answer->error != ECONNRESET && !a->renew) {
        keep(share, answer);
        return;
    }
    share->aside = false;
    a->is_set = false;
    a->state = a->failed ? VM_DEVICE_FAILED : VM_DEVICE_WAITING;
    if (!a->renew)
        return;
    a->renew = answer->error == ECONNRESET; /* then nobody knows whether it was done */
    if (a->device && a->device->stale)
        virtio_device_release(a);
}

int share_unmount(struct attachment *a)
{
    struct request_unmount request = {.flags = a->renew ? REQUEST_UNMOUNT_DETACH : 0,
                                      .target = wire_text_of(share_of(a)->config.target)};
    uint8_t payload[LIMITS_PATH + 64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_unmount_pack(&writer, &request);
    return guest_ask(a->vm->guest, FRAME_UNMOUNT, payload, writer.size,
                     a->vm->config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_unmounted, a);
}
