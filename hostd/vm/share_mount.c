/* share mount: the guest is asked to mount a share, or to unmount it. */
#include "share.h"

#include "base/clock.h"
#include "base/limits.h"
#include "p9_share.h"
#include "report.h"
#include "share_parts.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdio.h>

static struct operation *share_take_operation(struct share *share)
{
    struct operation *operation = share->operation;

    share->operation = NULL;
    return operation;
}

/* If what serves it on the host ended, the guest can only know that nobody answered. */
static void fail_mount(struct share *share, const struct guest_answer *answer)
{
    const char *trouble = p9_share_trouble(share->p9);
    char text[2 * LIMITS_TEXT];

    (void)snprintf(text, sizeof(text), "%.*s%s%.*s", (int)LIMITS_TEXT - 8, answer->text,
                   trouble ? "; " : "", (int)LIMITS_TEXT, trouble ? trouble : "");
    share_fail(share, "mount", answer->error, text);
}

static void on_mounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;
    struct vm *vm = share->vm;

    share->asked = false;
    share->mounted = answer->error == 0;
    if (answer->error != ECONNRESET && answer->error != ETIMEDOUT)
        share->unsure = false;
    if (answer->error == ECONNRESET) {
        share->state = VM_DEVICE_WAITING;
        if (!share->wanted) {
            share_step(share);
            return;
        }
        operation_finish(share_take_operation(share), 0,
                         "the guest went away; the share is mounted when it is back");
        return;
    }
    if (share->remount) { /* its server was lost meanwhile */
        if (share_unmount(share) < 0)
            share_step(share);
        return;
    }
    latency_add(&vm->services->latencies.mount, clock_now_us() - share->asked_us);
    report_mount(share, answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "mount", vm->config->timeouts.mount, share->config.tag);
    if (answer->error != 0 && share->wanted)
        fail_mount(share, answer);
    else
        share_step(share);
}

void share_mount(struct share *share)
{
    const struct config_vm *config = share->vm->config;
    bool virtiofs = share->transport == POLICY_TRANSPORT_VIRTIOFS;
    const char *tag = share->device ? share->device->tag : share->config.tag;
    struct request_mount request = {
        .flags = share->config.read_only ? REQUEST_MOUNT_READ_ONLY : 0,
        .transport = virtiofs ? REQUEST_TRANSPORT_VIRTIOFS : REQUEST_TRANSPORT_9P,
        .port = p9_share_port(share->p9),
        .timeout_ms = config->timeouts.mount,
        .tag = wire_text_of(tag),
        .target = wire_text_of(share->config.target),
    };
    uint8_t payload[LIMITS_PATH + 256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int r;

    request_mount_pack(&writer, &request);
    r = writer.overflow
            ? -EMSGSIZE
            : guest_ask(share->vm->guest, FRAME_MOUNT, payload, writer.size,
                        config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_mounted, share);
    if (r < 0) {
        share_fail(share, "mount", -r, "the guest cannot be asked to mount it");
        return;
    }
    clock_disarm(share->timer);
    p9_share_clear_trouble(share->p9);
    share->asked = true;
    share->asked_us = clock_now_us();
    share->state = VM_DEVICE_SETTING;
}

static void on_unmounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;

    share->asked = false;
    if (answer->error != ECONNRESET && answer->error != ETIMEDOUT)
        share->unsure = false;
    /* EINVAL: it is not mounted, as umount(2) says it */
    if (answer->error != 0 && answer->error != EINVAL && answer->error != ECONNRESET &&
        !share->remount) {
        struct operation *operation = share->operation;

        report_device_failed(share->vm, "share", share->config.tag, "unmount", answer->error,
                             answer->text);
        share->operation = NULL;
        share->wanted = true;
        share->state = VM_DEVICE_IN_USE;
        operation_finish(operation, answer->error, answer->text);
        return;
    }
    share->mounted = false;
    if (share->remount) {
        share->remount = answer->error == ECONNRESET; /* then nobody knows whether it was done */
        share->state = share->failed ? VM_DEVICE_FAILED : VM_DEVICE_WAITING;
        if (share->device && share->device->stale)
            share_device_release(share);
    }
    share_step(share);
}

/* @return 0, or -errno: nobody to ask */
int share_unmount(struct share *share)
{
    struct request_unmount request = {.flags = share->remount ? REQUEST_UNMOUNT_DETACH : 0,
                                      .target = wire_text_of(share->config.target)};
    uint8_t payload[LIMITS_PATH + 64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int r;

    request_unmount_pack(&writer, &request);
    r = guest_ask(share->vm->guest, FRAME_UNMOUNT, payload, writer.size,
                  share->vm->config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_unmounted, share);
    if (r < 0)
        return r;
    share->asked = true;
    share->state = VM_DEVICE_RELEASING;
    return 0;
}
