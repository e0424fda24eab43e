/* host: what PID 1 does at each step of its connection to the host, in which order, and what of its
 * log goes there. The parts that do it are taken by the linker. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/kmsg_log.h"
#include "init/dispatch.h"
#include "init/host.h"
#include "init/kernel/facts.h"
#include "kmsg_played.h"
#include "link_support.h"
#include "protocol/capabilities.h"
#include "protocol/event.h"
#include "protocol/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct guest guest;
static char done[512]; /* what was called, in order */
static const struct link_user *user;
static kmsg_log_sink *sink;
static void *sink_context;
static size_t room;

static void note(const char *what)
{
    (void)snprintf(done + strlen(done), sizeof(done) - strlen(done), "%s ", what);
}

static void expect(const char *calls)
{
    assert_string_equal(done, calls);
    done[0] = '\0';
}

void __wrap_link_start(struct link *link, struct loop *loop, const struct host_address *address,
                       const struct link_user *of);
void __wrap_link_start(struct link *link, struct loop *loop, const struct host_address *address,
                       const struct link_user *of)
{
    assert_ptr_equal(link, &guest.link);
    assert_ptr_equal(loop, &guest.loop);
    assert_ptr_equal(address, &guest.cmdline.host);
    user = of;
    note("start");
}

void __wrap_facts_measure(const struct cmdline *cmdline, struct module_list *list,
                          uint64_t started_ns, struct guest_capabilities *ret);
void __wrap_facts_measure(const struct cmdline *cmdline, struct module_list *list,
                          uint64_t started_ns, struct guest_capabilities *ret)
{
    assert_ptr_equal(cmdline, &guest.cmdline);
    assert_ptr_equal(list, &guest.modules);
    assert_ptr_equal(ret, &guest.facts);
    ret->started_ns = started_ns;
    note("measure");
}

void __wrap_link_await(struct link *link, int timeout_ms);
void __wrap_link_await(struct link *link, int timeout_ms)
{
    assert_ptr_equal(link, &guest.link);
    assert_int_equal(timeout_ms, INIT_FIRST_CALL_MS);
    note("await");
}

size_t __wrap_link_room(const struct link *link);
size_t __wrap_link_room(const struct link *link)
{
    assert_ptr_equal(link, &guest.link);
    return room;
}

void __wrap_kmsg_log_set_sink(kmsg_log_sink *to, void *context);
void __wrap_kmsg_log_set_sink(kmsg_log_sink *to, void *context)
{
    sink = to;
    sink_context = context;
    note(to ? "log-to-host" : "log-alone");
}

void __wrap_boot_mount_root(struct guest *of);
void __wrap_boot_mount_root(struct guest *of)
{
    assert_ptr_equal(of, &guest);
    note("root");
}

void __wrap_boot_without_host(struct guest *of);
void __wrap_boot_without_host(struct guest *of)
{
    assert_ptr_equal(of, &guest);
    note("without-host");
}

void __wrap_exit_report_send(struct exit_reports *reports, struct link *link);
void __wrap_exit_report_send(struct exit_reports *reports, struct link *link)
{
    assert_ptr_equal(reports, &guest.exits);
    assert_ptr_equal(link, &guest.link);
    note("exits");
}

void __wrap_exit_report_lost(struct exit_reports *reports);
void __wrap_exit_report_lost(struct exit_reports *reports)
{
    assert_ptr_equal(reports, &guest.exits);
    note("exits-lost");
}

void __wrap_process_resume(struct processes *processes);
void __wrap_process_resume(struct processes *processes)
{
    assert_ptr_equal(processes, &guest.processes);
    note("resume");
}

void __wrap_process_lost(struct processes *processes);
void __wrap_process_lost(struct processes *processes)
{
    assert_ptr_equal(processes, &guest.processes);
    note("processes-lost");
}

void __wrap_shutdown_lost(struct shutdown *shutdown);
void __wrap_shutdown_lost(struct shutdown *shutdown)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    note("shutdown-lost");
}

bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms);
bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    assert_int_equal(how, REQUEST_POWER_OFF);
    assert_int_equal(reason, EVENT_BY_HOST_LOSS);
    assert_int_equal(grace_ms, INIT_GRACE_MS);
    note("shutdown");
    return true;
}

const char *__wrap_dispatch_frame(struct guest *of, const struct frame *frame);
const char *__wrap_dispatch_frame(struct guest *of, const struct frame *frame)
{
    assert_ptr_equal(of, &guest);
    assert_int_equal(frame->id, 77);
    note("frame");
    return "what is wrong";
}

void __wrap_hold_clear(struct hold *hold);
void __wrap_hold_clear(struct hold *hold)
{
    assert_ptr_equal(hold, &guest.hold);
    note("held-cleared");
}

static int begin(void **state)
{
    (void)state;
    memset(&guest, 0, sizeof(guest));
    done[0] = kmsg_played[0] = '\0';
    sink = NULL;
    room = INIT_OUTPUT_SIZE;
    guest.timings.started_ns = 5;
    host_call(&guest);
    return 0;
}

static void host_is_called_while_facts_are_measured(void **state)
{
    (void)state;
    expect("start measure await ");
    assert_int_equal(guest.facts.started_ns, 5);
    assert_ptr_equal(guest.hold_timer.expired, dispatch_release);
    assert_false(guest.hold.on);
    (void)snprintf(guest.cmdline.root, sizeof(guest.cmdline.root), "LABEL=root");
    host_call(&guest);
    assert_true(guest.hold.on); /* until the real root is there */
}

static void greeting_has_the_facts_and_the_time(void **state)
{
    static uint8_t bytes[4096];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct guest_capabilities sent;
    uint64_t before = clock_now_ns();

    (void)state;
    guest.facts.cpu_count = 7;
    user->greet(&guest.link, &writer);
    assert_int_equal(capabilities_unpack(bytes, writer.size, &sent), 0);
    assert_int_equal(sent.cpu_count, 7);
    assert_true(sent.sent_ns >= before);
    assert_int_equal(sent.sent_ns, guest.timings.connected_ns);
    user->greeted(&guest.link);
    assert_true(guest.timings.sent_ns >= guest.timings.connected_ns);
}

static void welcome_ends_the_wait_for_it(void **state)
{
    uint64_t before = clock_now_ns();

    (void)state;
    done[0] = '\0';
    host_await(&guest);
    assert_int_not_equal(guest.patience.at_ns, 0);
    user->welcomed(&guest.link);
    expect("log-to-host exits root ");
    assert_int_equal(guest.patience.at_ns, 0);
    assert_true(guest.timings.welcomed_ns >= before);
}

static void frames_are_dispatched_and_room_is_used(void **state)
{
    const struct frame frame = {.id = 77};

    (void)state;
    done[0] = '\0';
    assert_string_equal(user->frame(&guest.link, &frame), "what is wrong");
    user->drained(&guest.link);
    expect("frame exits resume ");
}

static void loss_is_told_to_all(void **state)
{
    (void)state;
    done[0] = '\0';
    user->lost(&guest.link);
    expect("log-alone held-cleared exits-lost processes-lost shutdown-lost ");
    guest.cmdline.power_off_on_host_loss = true;
    user->lost(&guest.link);
    expect("log-alone held-cleared exits-lost processes-lost shutdown-lost shutdown ");
}

static void log_goes_to_the_host(void **state)
{
    struct event_log_record record;
    struct frame frame;
    uint64_t before = clock_now_ns();
    int host;

    (void)state;
    assert_int_equal(loop_init(&guest.loop), 0);
    host = link_support_up(&guest.link, &guest.loop);
    user->welcomed(&guest.link);
    assert_ptr_equal(sink_context, &guest.link);
    room = INIT_OUTPUT_RESERVE;
    sink(sink_context, LOG_WARNING, 3, "words");
    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_LOG_RECORD);
    assert_int_equal(frame.id, 0);
    assert_int_equal(event_log_record_unpack(frame.payload, frame.length, &record), 0);
    assert_int_equal(record.level, LOG_WARNING);
    assert_int_equal(record.dropped, 3);
    assert_true(record.time_ns >= before);
    assert_int_equal(record.text.size, 5);
    assert_memory_equal(record.text.data, "words", 5);
    sink(sink_context, LOG_WARNING, 0, "no \xff UTF-8");
    room = INIT_OUTPUT_RESERVE - 1; /* answers come first */
    sink(sink_context, LOG_WARNING, 0, "words");
    assert_false(link_support_take(host, &frame));
    link_support_down(&guest.link, host);
    room = INIT_OUTPUT_SIZE;
    sink(sink_context, LOG_WARNING, 0, "words");
    (void)close(guest.loop.epoll_fd);
}

static void patience_is_bounded(void **state)
{
    uint64_t before;

    (void)state;
    done[0] = '\0';
    guest.cmdline.connect_timeout_ms = 30000;
    guest.link.state = LINK_UP;
    host_await(&guest);
    assert_int_equal(guest.patience.at_ns, 0);
    guest.link.state = LINK_GREETING;
    before = clock_in_ms(30000);
    host_await(&guest);
    assert_in_range(guest.patience.at_ns, before, clock_in_ms(30000));
    guest.patience.expired(&guest.patience);
    expect("without-host ");
    kmsg_expect("5 connect: no host answered within 30000 ms; continuing without it\n");
}

int main(void)
{
#define PLAYED(test) cmocka_unit_test_setup(test, begin)
    const struct CMUnitTest tests[] = {
        PLAYED(host_is_called_while_facts_are_measured),
        PLAYED(greeting_has_the_facts_and_the_time),
        PLAYED(welcome_ends_the_wait_for_it),
        PLAYED(frames_are_dispatched_and_room_is_used),
        PLAYED(loss_is_told_to_all),
        PLAYED(log_goes_to_the_host),
        PLAYED(patience_is_bounded),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
