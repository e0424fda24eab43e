/* share: a directory of the host's on its way to a mount in the guest. */
#include "share.h"

#include "base/limits.h"
#include "config/text.h"
#include "device_aperture.h"
#include "guest/guest.h"
#include "p9_share.h"
#include "report.h"
#include "share_nest.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct share *share_next(const struct vm *vm, struct share *share)
{
    return share_of(attachment_next(vm, &share_kind, share ? &share->attachment : NULL));
}

struct share *share_find(const struct vm *vm, const char *tag)
{
    return share_of(attachment_find(vm, &share_kind, tag, true));
}

static void share_free(struct attachment *a, bool go_on)
{
    struct share *share = share_of(a);

    share->p9 = go_on ? p9_share_release(share->p9) : p9_share_free(share->p9);
    free(share->config.tag);
    free(share->config.path);
    free(share->config.target);
    free(share);
}

int share_new(struct vm *vm, const struct config_share *config, bool configured,
              struct share **ret_share)
{
    struct share *share;

    if (share_find(vm, config->tag))
        return -EEXIST;
    if (attachment_count(vm, &share_kind) >= LIMITS_SHARES)
        return -ENOBUFS;
    share = calloc(1, sizeof(*share));
    if (!share)
        return -ENOMEM;
    share->configured = configured;
    share->config = *config;
    share->config.tag = strdup(config->tag);
    share->config.path = strdup(config->path);
    share->config.target = strdup(config->target);
    if (!share->config.tag || !share->config.path || !share->config.target) {
        share_free(&share->attachment, false);
        return -ENOMEM;
    }
    config_text_normalise_path(share->config.path);
    config_text_normalise_path(share->config.target);
    share->attachment.kind = &share_kind;
    share->attachment.name = share->config.tag;
    attachment_begin(&share->attachment, vm);
    *ret_share = share;
    return 0;
}

static bool collides(const struct attachment *earlier, const struct attachment *a)
{
    const struct config_share *one = &((const struct share *)earlier)->config;
    const struct config_share *other = &((const struct share *)a)->config;

    return strcmp(one->tag, other->tag) == 0 || strcmp(one->target, other->target) == 0;
}

static void on_server_ended(void *userdata, const char *text)
{
    struct share *share = userdata;
    struct attachment *a = &share->attachment;

    /* after the guest's mount had failed: the host's reason is the better one */
    if (a->failed && !a->is_set) {
        attachment_set_error(a, text);
        report_device_failed(a->vm, "share", a->name, "serve", EPIPE, text);
    } else {
        report_line(a->vm, ALLOWANCE_REFUSAL, LOG_NOTICE,
                    "share %s: the server of a 9P connection exited: %s", a->name, text);
    }
}

static bool is_under_way(const struct attachment *a)
{
    return a->is_set || a->asked;
}

/* One that was to make room for @p share, and is busy. NULL: there is none. A guest takes a mount
 * of the same tag and target for the one that it has. */
static const struct share *find_busy(const struct share *share)
{
    const struct vm *vm = share->attachment.vm;
    struct share *s = share_next(vm, NULL);

    while (s && s != share &&
           !(s->attachment.wanted && s->dropped && collides(&s->attachment, &share->attachment)))
        s = share_next(vm, s);
    return s != share ? s : NULL;
}

static int prepare(struct attachment *a)
{
    struct share *share = share_of(a);
    struct vm *vm = a->vm;

    if (!is_under_way(a) && find_busy(share))
        return -EBUSY;
    if (a->operation && !is_under_way(a) && share_nest_below(share))
        return -EBUSY;
    /* one that is busy keeps its own when the policy changes */
    if (!is_under_way(a))
        share->transport =
            policy_share_transport(&vm->policy, &share->config, vm->boot.capabilities.features);
    switch (share->transport) {
    case POLICY_TRANSPORT_VIRTIOFS:
        if (device_aperture_obstacle(vm))
            return -EPERM;
        return virtio_device_take(a, &(struct virtio_device){.path = share->config.path,
                                                             .read_only = share->config.read_only,
                                                             .serving = share->config.serving});
    case POLICY_TRANSPORT_9P:
        if (config_serving_needs_virtiofs(&share->config.serving))
            return -EINVAL;
        return share->p9 ? 0 : p9_share_new(vm, &share->config, on_server_ended, share, &share->p9);
    case POLICY_TRANSPORT_NONE:
    default:
        return -EOPNOTSUPP;
    }
}

/* Why there is no transport, and what to do about it. */
static void explain_transport(const struct share *share, char *text, size_t capacity)
{
    const struct vm *vm = share->attachment.vm;

    switch (policy_chosen_transport(&vm->policy, &share->config)) {
    case POLICY_TRANSPORT_VIRTIOFS:
        (void)snprintf(text, capacity,
                       "the guest reports that its kernel has no virtiofs; add it (the module "
                       "virtiofs), or set \"transport\": \"9p\" for the share (guestlink-hostd "
                       "does not switch to 9P on a guest's report)");
        break;
    case POLICY_TRANSPORT_9P:
        (void)snprintf(text, capacity,
                       "the guest reports that its kernel has no 9P; add it (the modules 9p and "
                       "9pnet_fd), or let the share use virtiofs");
        break;
    case POLICY_TRANSPORT_NONE:
        (void)snprintf(text, capacity,
                       "the share needs virtiofs, which %s disables for the VM; set "
                       "\"transport\": \"9p\" for the share, or enable virtiofs",
                       vm->config->virtio ? "\"virtiofs\": false" : "\"virtio\": false");
    }
}

/* Which share is in the way, and what to do about it. */
static void explain_busy(const struct share *share, char *text, size_t capacity)
{
    const struct share *busy = find_busy(share);
    const struct share *below = share_nest_below(share);

    if (busy)
        (void)snprintf(
            text, capacity,
            "share %s as it was before the reload is still mounted in the guest, at %s; end what "
            "uses it, and reload again",
            busy->config.tag, busy->config.target);
    else
        (void)snprintf(text, capacity,
                       "target %s would hide the share %s, which is mounted at %s (remove that "
                       "share, add this one, then add that one again)",
                       share->config.target, below ? below->config.tag : "",
                       below ? below->config.target : "below");
}

/* Names what was asked for. */
static void explain(const struct attachment *a, int error, char *text, size_t capacity)
{
    const struct share *share = (const struct share *)a;
    const struct config_share *config = &share->config;
    const char *obstacle = device_aperture_obstacle(a->vm);

    switch (error) {
    case EBUSY:
        explain_busy(share, text, capacity);
        break;
    case EPERM:
        (void)snprintf(text, capacity, "%s",
                       obstacle ? obstacle : "the host does not permit creating its device");
        break;
    case EINVAL:
        (void)snprintf(text, capacity,
                       "the share has %s, which 9P does not support (let the share use "
                       "virtiofs, or remove that)",
                       config_serving_needs_virtiofs(&config->serving));
        break;
    case ENOENT:
        (void)snprintf(text, capacity,
                       "its path %s does not exist on the host (create it, or fix \"path\" of "
                       "the share)",
                       config->path);
        break;
    case ENOTDIR:
        (void)snprintf(text, capacity,
                       "its path %s is not a directory on the host (fix \"path\" of the share)",
                       config->path);
        break;
    case EEXIST:
        (void)snprintf(text, capacity, "the tag %s is already used by another device of this VM",
                       config->tag);
        break;
    case EOPNOTSUPP:
        explain_transport(share, text, capacity);
        break;
    default:
        (void)snprintf(text, capacity, "%s on the host: %s", config->path, strerrordesc_np(error));
        break;
    }
}

static void begin(struct attachment *a, enum attachments_occasion occasion)
{
    struct share *share = share_of(a);

    if (share->dropped)
        attachment_drop(a);
    /* an earlier connection may have left a mount of what is not known to be mounted */
    if (occasion != ATTACHMENTS_AGAIN)
        share->unsure = occasion == ATTACHMENTS_BACK && !a->is_set;
    if (occasion != ATTACHMENTS_BOOT)
        return;
    a->retries = 0;
    share->aside = false;
    share->p9 = p9_share_free(share->p9);
}

static void renewed(struct attachment *a)
{
    struct share *share = share_of(a);

    a->renew = a->renew || a->is_set || share->unsure;
    if (a->renew)
        share_nest_lose(share);
}

static int add_device(struct virtio_device *device, device_done_fn done)
{
    return device_host_add_share(
        device->vm->host,
        &(struct device_share){.tag = device->name,
                               .path = device->path,
                               .read_only = device->read_only,
                               .serving = device->serving,
                               .iommu_platform = boot_may_confine(&device->vm->boot),
                               .options = device->options,
                               .aperture = device->aperture_mode},
        done, device);
}

const struct attachment_kind share_kind = {.name = "share",
                                           .phase = "mount",
                                           .collides = collides,
                                           .prepare = prepare,
                                           .explain = explain,
                                           .must_wait = share_nest_must_wait,
                                           .is_needed = share_nest_is_needed,
                                           .set_up = share_mount,
                                           .release = share_unmount,
                                           .begin = begin,
                                           .free = share_free,
                                           .add_device = add_device,
                                           .remove_device = device_host_remove_share,
                                           .renewed = renewed,
                                           .refuse = shares_refused,
                                           .report_added = report_share_added,
                                           .report_removed = report_share_removed};

/* Why its server ended was told each time. */
#define GIVEN_UP                                                                                   \
    "its server exited too often in a short time; will retry when the share is removed and "       \
    "added, on reload, or when the guest connects again"

/* The mount is of no use any more: it is taken away, and the share made again, or given up. One
 * that is just being made is, too; whether it was made in time the answer does not say. Where the
 * guest has none of ours, nothing is: what is on that target then is its own. */
static void let_go(struct share *share)
{
    struct attachment *a = &share->attachment;
    bool mounted = a->is_set && guest_is_attached(a->vm->guest) && !a->asked;

    a->renew = a->renew || a->is_set || a->asked || share->unsure;
    if (a->renew)
        share_nest_lose(share);
    if (!mounted || !attachment_release(a)) {
        a->is_set = false;
        virtio_device_release(a);
    }
}

static void lose(struct share *share)
{
    let_go(share);
    attachment_retry(&share->attachment, GIVEN_UP);
}

void shares_lost(struct vm *vm, const char *tag, bool restored, const char *text)
{
    struct virtio_device *device = virtio_device_find(vm, &share_kind, tag);

    /* with a guest's end or reset its devices' servers end, and come again with its next boot */
    if (guest_is_there(vm->guest) && !vm->boot.farewell)
        report_device_failed(vm, "share", tag, "serve", EPIPE, text);
    else
        report_line(vm, ALLOWANCE_DEVICE, LOG_NOTICE, "share %s: %s", tag, text);
    if (!device)
        return;
    device->stale = !restored;
    for (struct share *s = share_next(vm, NULL); s; s = share_next(vm, s)) {
        if (s->attachment.device != device || (restored && !s->attachment.is_set))
            continue;
        attachment_set_error(&s->attachment, text);
        lose(s);
    }
    saver_now(&vm->saver);
    vm_wake(vm);
}

void shares_refused(struct vm *vm, const char *tag, const char *reason)
{
    struct virtio_device *device = virtio_device_find(vm, &share_kind, tag);

    if (!device)
        return;
    device->stale = true;
    for (struct share *s = share_next(vm, NULL); s; s = share_next(vm, s)) {
        if (s->attachment.device != device)
            continue;
        let_go(s);
        attachment_fail(&s->attachment, "device", EPERM, reason);
    }
    saver_now(&vm->saver);
}

void shares_renew(struct vm *vm)
{
    for (struct share *s = share_next(vm, NULL); s; s = share_next(vm, s)) {
        if (s->attachment.wanted && s->attachment.device &&
            s->attachment.device->aperture_mode != device_aperture_mode(vm))
            let_go(s);
    }
    virtio_devices_mark_stale(vm);
}
