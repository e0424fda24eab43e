/* dispatch: every frame of the host finds who handles it. */
#include "dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/random.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/kmsg_log.h"
#include "boot.h"
#include "dispatch_job.h"
#include "kernel/facts.h"
#include "kernel/pool_usage.h"
#include "kernel/settings.h"
#include "kernel/wall_clock.h"
#include "protocol/limits.h"
#include "protocol/request.h"
#include "protocol/result.h"

static int set_hostname(struct dispatch *d)
{
    struct request_set_hostname request;
    int r = request_set_hostname_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (request.name.size == 0 || request.name.size > LIMITS_HOSTNAME ||
        wire_text_has_control(request.name)) {
        (void)report_fail(&d->report, EINVAL,
                          "hostname: expected 1 to %u bytes without control "
                          "characters",
                          LIMITS_HOSTNAME);
        return 0;
    }
    if (sethostname(request.name.data, request.name.size) < 0)
        (void)report_fail(&d->report, errno, "hostname: %s", strerror(errno));
    else if (!d->guest->shutdown.agent)
        settings_write_hosts();
    return 0;
}

static int add_entropy(struct dispatch *d)
{
    union {
        struct rand_pool_info info;
        uint8_t bytes[sizeof(struct rand_pool_info) + LIMITS_ENTROPY];
    } pool = {0};
    struct request_add_entropy request;
    FD_CLOSE int fd = -1;
    int r = request_add_entropy_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (request.data.size > LIMITS_ENTROPY || request.bits > request.data.size * 8) {
        (void)report_fail(&d->report, EINVAL,
                          "entropy: %u bits of %zu bytes: expected at most %u "
                          "bytes, and 8 bits of each",
                          request.bits, request.data.size, LIMITS_ENTROPY);
        return 0;
    }
    pool.info.entropy_count = (int)request.bits;
    pool.info.buf_size = (int)request.data.size;
    memcpy(pool.bytes + sizeof(pool.info), request.data.data, request.data.size);
    fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    /* A VM that was restored from a snapshot has what its twin has, until the kernel takes again.
     */
    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0)
        (void)report_fail(&d->report, errno, "entropy: %s", strerror(errno));
    else
        (void)ioctl(fd, RNDRESEEDCRNG); /* ENODATA: it never had any; it takes this one by itself */
    explicit_bzero(&pool, sizeof(pool));
    return 0;
}

static int start_process(struct dispatch *d)
{
    struct request_start_process request;
    int r = request_start_process_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (request.process == 0) {
        (void)report_fail(&d->report, EINVAL, "process 0: expected another number");
        return 0;
    }
    d->later = process_start(&d->guest->processes, &request, d->frame->id,
                             d->guest->link.generation, &d->report) == 0;
    return 0;
}

static int send_signal(struct dispatch *d)
{
    struct request_send_signal request;
    int r = request_send_signal_unpack(d->frame->payload, d->frame->length, &request);

    if (r == 0)
        (void)process_signal(&d->guest->processes, request.process, request.signal, &d->report);
    return r;
}

static int process_input_of(struct dispatch *d)
{
    struct request_process_input request;
    int r = request_process_input_unpack(d->frame->payload, d->frame->length, &request);
    struct process *process;

    if (r != 0)
        return r;
    process = process_find(&d->guest->processes, request.process);
    if (!process)
        (void)report_fail(&d->report, ESRCH, "process %u is not running", request.process);
    else
        d->later = process_input(process, &request, d->frame->id, d->guest->link.generation,
                                 &d->report) == 0;
    return 0;
}

static int resize_terminal(struct dispatch *d)
{
    struct request_resize_terminal request;
    int r = request_resize_terminal_unpack(d->frame->payload, d->frame->length, &request);

    if (r == 0)
        (void)process_resize(&d->guest->processes, &request, &d->report);
    return r;
}

static int output_taken(struct dispatch *d)
{
    struct request_output_taken request;
    int r = request_output_taken_unpack(d->frame->payload, d->frame->length, &request);
    struct process *process;

    if (r != 0)
        return r;
    process = process_find(&d->guest->processes, request.process);
    if (process)
        process_output_taken(process, request.bytes);
    return 0;
}

static int shut_down(struct dispatch *d)
{
    struct request_shut_down request;
    int r = request_shut_down_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    if (request.how > REQUEST_HALT) {
        (void)report_fail(&d->report, EINVAL, "shut-down %u: expected 0 to %u", request.how,
                          REQUEST_HALT);
        return 0;
    }
    if (request.grace_ms > INIT_GRACE_LONGEST_MS)
        request.grace_ms = INIT_GRACE_LONGEST_MS;
    /* The answer goes first: with nothing to stop, the farewell follows at once. */
    if (d->guest->shutdown.phase != SHUTDOWN_RUNNING)
        (void)snprintf(d->report.text, sizeof(d->report.text), "already in progress");
    link_answer(&d->guest->link, d->frame->id, d->guest->link.generation, &d->report);
    d->later = true;
    (void)shutdown_begin(&d->guest->shutdown, request.how, EVENT_BY_HOST, request.grace_ms);
    return 0;
}

static int ping(struct dispatch *d)
{
    (void)d;
    return 0;
}

static int get_capabilities(struct dispatch *d)
{
    struct guest *guest = d->guest;
    struct cmdline cmdline = guest->cmdline;
    struct guest_capabilities facts;
    struct wire_writer *writer;

    cmdline.swiotlb_forced = false; /* the kernel's log, which had the pool, may have lost it */
    facts_measure(&cmdline, &guest->modules, guest->facts.started_ns, &facts);
    /* A boot's features stay as first reported: what was promised to be loaded may have failed. */
    facts.features = guest->facts.features;
    if (facts.features & CAPABILITIES_SWIOTLB_DEFAULT) {
        facts.swiotlb_base = guest->facts.swiotlb_base;
        facts.swiotlb_size = guest->facts.swiotlb_size;
    }
    facts.sent_ns = clock_now_ns();
    writer = link_begin(&guest->link, FRAME_CAPABILITIES, FRAME_FLAG_ANSWER, d->frame->id);
    if (writer) {
        capabilities_pack(writer, &facts);
        (void)link_end(&guest->link);
    }
    d->later = true;
    return 0;
}

static int get_pool_usage(struct dispatch *d)
{
    struct pool_usage usage;
    struct wire_writer *writer;

    pool_usage_mount_debugfs();
    if (pool_usage_read(POOL_USAGE_DIRECTORY, &usage) < 0) {
        (void)report_fail(&d->report, ENOENT,
                          "this kernel keeps no statistics of its pools in " POOL_USAGE_DIRECTORY);
        return 0;
    }
    writer = link_begin(&d->guest->link, FRAME_POOL_USAGE, FRAME_FLAG_ANSWER, d->frame->id);
    if (writer) {
        event_pool_usage_pack(writer, &usage.event);
        (void)link_end(&d->guest->link);
    }
    d->later = true;
    return 0;
}

static int set_time(struct dispatch *d)
{
    struct request_set_time request;
    struct event_clock_stepped stepped;
    struct wire_writer *writer;
    int r = request_set_time_unpack(d->frame->payload, d->frame->length, &request);

    if (r != 0)
        return r;
    r = wall_clock_set(request.realtime_ns, &stepped);
    if (r < 0)
        (void)report_fail(&d->report, -r, "time: %s", strerror(-r));
    if (r != WALL_CLOCK_STEPPED)
        return 0;
    writer = link_begin(&d->guest->link, FRAME_CLOCK_STEPPED, 0, 0);
    if (writer) {
        event_clock_stepped_pack(writer, &stepped);
        (void)link_end(&d->guest->link);
    }
    return 0;
}

static int complete_boot(struct dispatch *d)
{
    boot_complete(d->guest, d->frame->id);
    d->later = true;
    return 0;
}

static const struct handler {
    dispatch_handler *handle;
    uint16_t type;
    bool of_root; /* what it does is done in the root, or to what was */
} handlers[] = {
    {get_capabilities, FRAME_GET_CAPABILITIES, false},
    {set_hostname, FRAME_SET_HOSTNAME, false},
    {add_entropy, FRAME_ADD_ENTROPY, false},
    {dispatch_mount_share, FRAME_MOUNT, true},
    {dispatch_unmount_share, FRAME_UNMOUNT, true},
    {dispatch_configure_network, FRAME_CONFIGURE_NETWORK, true},
    {start_process, FRAME_START_PROCESS, true},
    {send_signal, FRAME_SEND_SIGNAL, true},
    {shut_down, FRAME_SHUT_DOWN, false},
    {ping, FRAME_PING, false},
    {process_input_of, FRAME_PROCESS_INPUT, true},
    {output_taken, FRAME_OUTPUT_TAKEN, false},
    {get_pool_usage, FRAME_GET_POOL_USAGE, false},
    {complete_boot, FRAME_COMPLETE_BOOT, true},
    {set_time, FRAME_SET_TIME, false},
    {resize_terminal, FRAME_RESIZE_TERMINAL, true},
};

static const char *take_answer(struct guest *guest, const struct frame *frame)
{
    struct result result;

    if (frame->type != FRAME_RESULT)
        return NULL; /* an answer to nothing that we ask */
    if (result_unpack(frame->payload, frame->length, &result) != 0)
        return "a malformed result";
    if (!exit_report_acknowledge(&guest->exits, frame->id))
        shutdown_acknowledged(&guest->shutdown, frame->id);
    return NULL;
}

static const struct handler *find_handler(uint16_t type)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (handlers[i].type == type)
            return &handlers[i];
    return NULL;
}

static const char *handle(struct guest *guest, const struct frame *frame, bool held)
{
    struct dispatch d = {.guest = guest, .frame = frame};
    const struct handler *handler = find_handler(frame->type);

    if (!handler)
        (void)report_fail(&d.report, ENOSYS, "unknown type %u", frame->type);
    else if (handler->of_root && guest->hold.on && !held)
        d.later =
            hold_add(&guest->hold, frame) == 0 ||
            report_fail(&d.report, EAGAIN, "too many requests wait for the root already") == 0;
    else if (handler->handle(&d) != 0)
        return "a malformed payload";
    if (!d.later)
        link_answer(&guest->link, frame->id, guest->link.generation, &d.report);
    return NULL;
}

const char *dispatch_frame(struct guest *guest, const struct frame *frame)
{
    if (frame->flags & FRAME_FLAG_ANSWER)
        return take_answer(guest, frame);
    return handle(guest, frame, false);
}

void dispatch_release(struct loop_timer *timer)
{
    struct guest *guest = LOOP_OWNER(timer, struct guest, hold_timer);
    struct frame frame;

    while (jobs_have_room(&guest->jobs) && link_room(&guest->link) >= INIT_ANSWER_RESERVE &&
           hold_take(&guest->hold, &frame)) {
        const char *wrong = handle(guest, &frame, true);

        if (wrong) {
            kmsg_log(LOG_ERR, "host: frame %s: %s; closing the connection",
                     frame_type_name(frame.type), wrong);
            link_break(&guest->link);
        }
    }
    if (guest->hold.size == 0) {
        guest->hold.on = false;
        return;
    }
    if (guest->hold.on)
        loop_arm(&guest->loop, timer, clock_in_ms(INIT_HOLD_PAUSE_MS));
}
