/* dispatch job: begun with what the request says, answered by how it ended. */
#include "dispatch_job.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "protocol/request.h"
#include "work/network.h"
#include "work/root.h"
#include "work/share.h"

/* FNV-1a over type and payload: recognises a request that is asked again after a reconnect. */
static uint64_t digest_of(const struct frame *frame)
{
    uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ frame->type) * UINT64_C(0x100000001b3);

    for (uint32_t i = 0; i < frame->length; i++)
        hash = (hash ^ frame->payload[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void on_job_done(struct job *job, const struct report *report)
{
    struct guest *guest = job->order.context;

    if (report->error != 0)
        kmsg_log(LOG_WARNING, "%s: %s", job->order.name, report->text);
    link_answer(&guest->link, job->order.id, job->order.generation, report);
}

static void on_mounted(struct job *job, const struct report *report)
{
    struct guest *guest = job->order.context;

    if (report->error == 0)
        guest->timings.mounted_ns = clock_now_ns();
    on_job_done(job, report);
}

static void on_configured(struct job *job, const struct report *report)
{
    struct guest *guest = job->order.context;

    if (report->error == 0)
        guest->timings.network_ns = clock_now_ns();
    if (report->error == 0 && report->text[0] != '\0')
        kmsg_log(LOG_WARNING, "network: %s", report->text);
    on_job_done(job, report);
}

static void start_job(struct dispatch *d, struct job_order *order)
{
    struct guest *guest = d->guest;
    int r;

    order->id = d->frame->id;
    order->generation = guest->link.generation;
    order->digest = digest_of(d->frame);
    order->context = guest;
    if (order->timeout_ms > INIT_JOB_LONGEST_MS)
        order->timeout_ms = INIT_JOB_LONGEST_MS;
    if (guest->shutdown.phase != SHUTDOWN_RUNNING) { /* what is put away must stay so */
        (void)report_fail(&d->report, ESHUTDOWN, "%s: shutting down", order->name);
        return;
    }
    d->later = true;
    if (jobs_adopt(&guest->jobs, order->digest, order->id, order->generation))
        return;
    r = jobs_start(&guest->jobs, order);
    if (r >= 0)
        return;
    d->later = false;
    (void)report_fail(&d->report, EAGAIN, "%s: cannot start a process: %s", order->name,
                      strerror(-r));
}

/* A share of the host's that was plugged in to be the real root: it is mounted, as what it is for.
 */
static bool is_root(const struct guest *guest, const struct share_order *share)
{
    return guest->shutdown.agent && strcmp(share->target, ROOT_PATH) == 0 &&
           strncmp(guest->cmdline.root, "virtiofs:", 9) == 0 &&
           strcmp(guest->cmdline.root + 9, share->tag) == 0;
}

int dispatch_mount_share(struct dispatch *d)
{
    struct request_mount request;
    struct share_order share = {.cid = d->guest->cmdline.host.cid, .late = &d->guest->late};
    struct job_order order = {
        .name = "mount", .work = share_mount, .argument = &share, .done = on_mounted};
    int r = request_mount_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (wire_text_copy(request.tag, share.tag, sizeof(share.tag)) < 0 ||
        wire_text_copy(request.target, share.target, sizeof(share.target)) < 0 ||
        request.transport > REQUEST_TRANSPORT_9P || (request.flags & ~REQUEST_MOUNT_READ_ONLY)) {
        (void)report_fail(&d->report, EINVAL,
                          "mount: unsupported transport %u, flags 0x%x, or names of %zu and %zu "
                          "bytes",
                          request.transport, request.flags, request.tag.size, request.target.size);
        return 0;
    }
    if (is_root(d->guest, &share))
        return 0;
    share.read_only = (request.flags & REQUEST_MOUNT_READ_ONLY) != 0;
    share.by_9p = request.transport == REQUEST_TRANSPORT_9P;
    share.bounces = cmdline_may_bounce(&d->guest->cmdline);
    share.port = request.port;
    share.timeout_ms = order.timeout_ms = request.timeout_ms;
    start_job(d, &order);
    return 0;
}

int dispatch_unmount_share(struct dispatch *d)
{
    struct request_unmount request;
    struct share_order share = {0};
    struct job_order order = {.name = "unmount",
                              .work = share_unmount,
                              .argument = &share,
                              .timeout_ms = INIT_UNMOUNT_MS,
                              .done = on_job_done};
    int r = request_unmount_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (wire_text_copy(request.target, share.target, sizeof(share.target)) < 0) {
        (void)report_fail(&d->report, ENAMETOOLONG, "unmount: a target of %zu bytes",
                          request.target.size);
        return 0;
    }
    share.detach = (request.flags & REQUEST_UNMOUNT_DETACH) != 0;
    start_job(d, &order);
    return 0;
}

int dispatch_configure_network(struct dispatch *d)
{
    struct network_order network = {.late = &d->guest->late, .agent = d->guest->shutdown.agent};
    struct job_order order = {
        .name = "network", .work = network_configure, .argument = &network, .done = on_configured};
    int r = request_configure_network_unpack(d->frame->payload, d->frame->length, &network.request);

    if (r != 0)
        return r;
    order.timeout_ms = network.request.timeout_ms;
    start_job(d, &order);
    return 0;
}
