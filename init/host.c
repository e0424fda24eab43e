/* host: what PID 1 says to its host by itself. */
#include "host.h"

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "boot.h"
#include "dispatch.h"
#include "kernel/facts.h"
#include "protocol/request.h"

static struct guest *guest_of(struct link *link)
{
    return LOOP_OWNER(link, struct guest, link);
}

static void greet(struct link *link, struct wire_writer *writer)
{
    struct guest *guest = guest_of(link);

    guest->timings.connected_ns = clock_now_ns();
    guest->facts.sent_ns = guest->timings.connected_ns;
    capabilities_pack(writer, &guest->facts);
}

static void greeted(struct link *link)
{
    guest_of(link)->timings.sent_ns = clock_now_ns();
}

static void log_to_host(void *context, int level, uint32_t dropped, const char *text)
{
    struct link *link = context;
    const struct event_log_record record = {.time_ns = clock_now_ns(),
                                            .level = (uint16_t)level,
                                            .dropped = dropped,
                                            .text = wire_text_of(text)};
    struct wire_writer *writer;

    if (link_room(link) < INIT_OUTPUT_RESERVE || !wire_text_is_valid(record.text))
        return;
    writer = link_begin(link, FRAME_LOG_RECORD, 0, 0);
    if (writer) {
        event_log_record_pack(writer, &record);
        (void)link_end(link);
    }
}

static void welcomed(struct link *link)
{
    struct guest *guest = guest_of(link);

    guest->timings.welcomed_ns = clock_now_ns();
    loop_disarm(&guest->loop, &guest->patience);
    kmsg_log_set_sink(log_to_host, link);
    exit_report_send(&guest->exits, link);
    boot_mount_root(guest);
}

static const char *take_frame(struct link *link, const struct frame *frame)
{
    return dispatch_frame(guest_of(link), frame);
}

static void drained(struct link *link)
{
    struct guest *guest = guest_of(link);

    exit_report_send(&guest->exits, link);
    process_resume(&guest->processes);
}

static void lost(struct link *link)
{
    struct guest *guest = guest_of(link);

    kmsg_log_set_sink(NULL, NULL);
    hold_clear(&guest->hold);
    exit_report_lost(&guest->exits);
    process_lost(&guest->processes);
    shutdown_lost(&guest->shutdown);
    if (guest->cmdline.power_off_on_host_loss)
        (void)shutdown_begin(&guest->shutdown, REQUEST_POWER_OFF, EVENT_BY_HOST_LOSS,
                             INIT_GRACE_MS);
}

void host_call(struct guest *guest)
{
    static const struct link_user user = {
        .greet = greet,
        .greeted = greeted,
        .welcomed = welcomed,
        .frame = take_frame,
        .drained = drained,
        .lost = lost,
    };

    link_start(&guest->link, &guest->loop, &guest->cmdline.host, &user);
    facts_measure(&guest->cmdline, &guest->modules, guest->timings.started_ns, &guest->facts);
    link_await(&guest->link, INIT_FIRST_CALL_MS);
    /* Of a page that the first frame does not need; the host's first request comes by the loop. */
    guest->hold_timer.expired = dispatch_release;
    guest->hold.on = guest->cmdline.root[0] != '\0';
}

static void on_patience(struct loop_timer *timer)
{
    struct guest *guest = LOOP_OWNER(timer, struct guest, patience);

    kmsg_log(LOG_NOTICE, "connect: no host answered within %u ms; continuing without it",
             guest->cmdline.connect_timeout_ms);
    boot_without_host(guest);
}

void host_await(struct guest *guest)
{
    guest->patience.expired = on_patience;
    if (guest->link.state != LINK_UP)
        loop_arm(&guest->loop, &guest->patience, clock_in_ms(guest->cmdline.connect_timeout_ms));
}
