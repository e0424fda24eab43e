/* boot: the host completes it, or nobody does; the payload of the kernel's command line is started
 * once; a real root takes over, or PID 1 stays. What would change this machine is taken by the
 * linker. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/boot.h"
#include "init/dispatch.h"
#include "init/work/root.h"
#include "link_support.h"
#include "protocol/event.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <cmocka.h>

static struct guest guest;
static int host;
static char *words[] = {(char *)"/bin/true"};

static struct {
    unsigned jobs, words, switches, hand_overs, deletions, watches, answers, notices;
    bool no_child, no_words, reaps;
    int switch_error, hand_over_error, answer_error, deleted;
    uint32_t answered;
    struct job_order order;
    pid_t loader;
} seen;

int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order);
int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order)
{
    assert_ptr_equal(jobs, &guest.jobs);
    seen.jobs++;
    seen.order = *order;
    return seen.no_child ? -EAGAIN : 4711;
}

int __wrap_process_start_words(struct processes *processes, char *const *of, size_t count,
                               struct report *report);
int __wrap_process_start_words(struct processes *processes, char *const *of, size_t count,
                               struct report *report)
{
    assert_ptr_equal(of, words);
    assert_int_equal(count, 1);
    seen.words++;
    if (seen.no_words)
        return report_fail(report, ENOENT, "words");
    processes->payload_ns = 77;
    return 0;
}

int __wrap_switch_root(struct report *report, int *ret_old_root);
int __wrap_switch_root(struct report *report, int *ret_old_root)
{
    seen.switches++;
    *ret_old_root = 33;
    return seen.switch_error ? report_fail(report, seen.switch_error, "switch") : 0;
}

int __wrap_switch_root_hand_over(const char *init, char *const *of, size_t count,
                                 struct report *report);
int __wrap_switch_root_hand_over(const char *init, char *const *of, size_t count,
                                 struct report *report)
{
    assert_string_equal(init, "/sbin/init");
    assert_ptr_equal(of, words); /* they are the real root's init's */
    assert_int_equal(count, 1);
    seen.hand_overs++;
    return seen.hand_over_error ? report_fail(report, seen.hand_over_error, "hand") : 0;
}

void __wrap_switch_root_delete(int root);
void __wrap_switch_root_delete(int root)
{
    seen.deletions++;
    seen.deleted = root;
}

void __wrap_signals_watch(struct guest *of);
void __wrap_signals_watch(struct guest *of)
{
    assert_true(of->shutdown.agent); /* it decides by that whose Ctrl-Alt-Del is */
    seen.watches++;
}

int __wrap_prctl(int option, unsigned long value);
int __wrap_prctl(int option, unsigned long value)
{
    assert_true(option == PR_SET_NAME || option == PR_SET_CHILD_SUBREAPER);
    seen.reaps = seen.reaps || (option == PR_SET_CHILD_SUBREAPER && value == 1);
    return 0;
}

void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report);
void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report)
{
    assert_ptr_equal(link, &guest.link);
    assert_int_equal(generation, link->generation);
    if (id == 0)
        return;
    seen.answers++;
    seen.answered = id;
    seen.answer_error = report->error;
}

void __wrap_notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t loader);
void __wrap_notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t loader)
{
    (void)jobs;
    assert_ptr_equal(timings, &guest.timings);
    seen.notices++;
    seen.loader = loader;
}

static int set_up(void **state)
{
    (void)state;
    memset(&guest, 0, sizeof(guest));
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(loop_init(&guest.loop), 0);
    jobs_init(&guest.jobs, &guest.loop);
    host = link_support_up(&guest.link, &guest.loop);
    cmdline_parse("", &guest.cmdline);
    guest.words = words;
    guest.word_count = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_support_down(&guest.link, host);
    (void)fd_close(guest.loop.epoll_fd);
    return 0;
}

/* READY was said so often since the last time, and the VM's manager heard it. */
static void need_ready(unsigned count)
{
    struct event_ready ready;
    struct frame frame;

    assert_int_equal(seen.notices, count);
    seen.notices = 0;
    for (; count > 0; count--) {
        assert_true(link_support_take(host, &frame));
        assert_int_equal(frame.type, FRAME_READY);
        assert_int_equal(event_ready_unpack(frame.payload, frame.length, &ready), 0);
        assert_int_equal(ready.payload_ns, guest.processes.payload_ns);
        assert_int_not_equal(ready.ready_ns, 0);
    }
    assert_false(link_support_take(host, &frame));
}

static void need_answer(uint32_t id, int error)
{
    assert_int_equal(seen.answers, 1);
    seen.answers = 0;
    assert_int_equal(seen.answered, id);
    assert_int_equal(seen.answer_error, error);
}

static void the_host_completes_it_as_often_as_it_is_back(void **state)
{
    (void)state;
    boot_complete(&guest, 21);
    need_answer(21, 0);
    need_ready(1);
    assert_int_equal(seen.words, 1);
    boot_complete(&guest, 22);
    need_answer(22, 0);
    need_ready(1);
    assert_int_equal(seen.words, 1); /* it runs */
    assert_int_equal(seen.jobs, 0);
}

static void words_that_cannot_be_started_keep_nobody_waiting(void **state)
{
    (void)state;
    seen.no_words = true;
    boot_complete(&guest, 21);
    need_answer(21, 0);
    need_ready(1);
    guest.word_count = 0;
    boot_complete(&guest, 22);
    assert_int_equal(seen.words, 1);
}

static void it_goes_on_without_a_host(void **state)
{
    (void)state;
    boot_without_host(&guest);
    assert_int_equal(seen.words, 1);
    assert_int_equal(seen.answers, 0);
    need_ready(1);
}

static void it_is_not_completed_at_the_end(void **state)
{
    (void)state;
    guest.shutdown.phase = SHUTDOWN_TERMINATING;
    boot_complete(&guest, 21);
    need_answer(21, ESHUTDOWN);
    boot_without_host(&guest);
    need_ready(0);
    assert_int_equal(seen.words + seen.jobs, 0);
}

/* The mount ends with that error. */
static void mounted(int error)
{
    struct job job = {.order = seen.order};
    struct report report = {.error = error};

    assert_ptr_equal(seen.order.work, root_mount);
    seen.order.done(&job, &report);
}

static void want_root(void)
{
    (void)snprintf(guest.cmdline.root, sizeof(guest.cmdline.root), "/dev/vda");
    guest.hold.on = true; /* as host_call() has it */
    guest.hold_timer.expired = dispatch_release;
}

/* The host's COMPLETE_BOOT, as a frame. */
static void ask(uint32_t id)
{
    const struct frame frame = {.type = FRAME_COMPLETE_BOOT, .id = id};

    assert_null(dispatch_frame(&guest, &frame));
}

static void a_real_root_takes_over(void **state)
{
    for (unsigned by_host = 0; by_host < 2; by_host++) {
        want_root();
        if (by_host) {
            boot_mount_root(&guest);
            ask(21);
        } else {
            boot_without_host(&guest);
        }
        boot_mount_root(&guest); /* another connection */
        assert_int_equal(seen.jobs, 1);
        assert_int_equal(seen.order.id, 0);
        assert_int_equal(seen.answers, 0); /* when it is there */
        need_ready(0);
        guest.jobs.table[1].pid = 4242;
        mounted(0);
        assert_int_equal(guest.jobs.table[1].pid, 0); /* its parent is the init now */
        assert_true(seen.reaps);
        if (by_host)
            need_answer(21, 0);
        need_ready(1);
        assert_int_equal(seen.switches, 1);
        assert_int_equal(seen.hand_overs, 1);
        assert_int_equal(seen.watches, 1);
        assert_int_equal(seen.deletions, 1);
        assert_int_equal(seen.deleted, 33);
        assert_true(guest.shutdown.agent);
        assert_int_equal(seen.words, 0); /* the real root's init starts what is to run */
        assert_false(guest.hold.on);
        ask(22); /* the host is back */
        need_answer(22, 0);
        need_ready(1);
        assert_int_equal(seen.jobs, 1);
        assert_int_equal(seen.words, 0);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

/* Modules are files of the initramfs, which goes away. */
static void the_hand_over_waits_for_the_modules(void **state)
{
    struct job job;
    struct report report = {0};

    (void)state;
    want_root();
    boot_load_modules(&guest);
    job = (struct job){.order = seen.order};
    boot_mount_root(&guest);
    mounted(0);
    assert_int_equal(seen.switches, 0);
    job.order.done(&job, &report);
    assert_int_equal(seen.switches, 1);
}

static void pid_1_stays_if_it_cannot(void **state)
{
    static const struct {
        int mount, change, hand_over;
        enum shutdown_phase phase;
        int error;
    } cases[] = {{ENODEV, 0, 0, SHUTDOWN_RUNNING, ENODEV},
                 {0, EINVAL, 0, SHUTDOWN_RUNNING, EINVAL},
                 {0, 0, ENOENT, SHUTDOWN_RUNNING, ENOENT},
                 {0, 0, 0, SHUTDOWN_TERMINATING, ESHUTDOWN}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        want_root();
        boot_mount_root(&guest);
        ask(21);
        seen.switch_error = cases[i].change;
        seen.hand_over_error = cases[i].hand_over;
        guest.shutdown.phase = cases[i].phase;
        guest.jobs.table[1].pid = 4242;
        mounted(cases[i].mount);
        assert_int_equal(guest.jobs.table[1].pid, 4242);
        assert_false(seen.reaps);
        need_answer(21, cases[i].error);
        need_ready(cases[i].phase == SHUTDOWN_RUNNING);
        assert_false(guest.shutdown.agent);
        assert_int_equal(seen.watches + seen.deletions, 0);
        assert_int_equal(seen.switches, cases[i].mount == 0 && cases[i].phase == SHUTDOWN_RUNNING);
        assert_int_equal(seen.words, cases[i].phase == SHUTDOWN_RUNNING);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void without_a_child_for_the_root_it_goes_on(void **state)
{
    (void)state;
    want_root();
    seen.no_child = true;
    ask(21);
    boot_mount_root(&guest);
    need_answer(21, EAGAIN);
    need_ready(1);
    assert_int_equal(seen.words, 1);
}

static void what_a_lost_host_asked_for_is_forgotten(void **state)
{
    (void)state;
    want_root();
    boot_mount_root(&guest);
    ask(21);
    assert_int_not_equal(guest.hold.size, 0);
    hold_clear(&guest.hold);
    mounted(0);
    assert_int_equal(seen.answers, 0);
    assert_false(guest.hold.on);
}

static void modules_are_loaded_by_a_job(void **state)
{
    struct job job = {0};
    struct report report = {0};

    (void)state;
    boot_load_modules(&guest);
    assert_int_equal(guest.late.loader, 4711);
    job.order = seen.order;
    seen.order.done(&job, &report);
    assert_int_equal(guest.late.loader, 0);
    assert_string_equal(guest.late.failed, "");
    (void)snprintf(report.text, sizeof(report.text), "virtiofs");
    seen.order.done(&job, &report);
    assert_string_equal(guest.late.failed, "; modules not loaded: virtiofs");
    seen.no_child = true;
    boot_load_modules(&guest);
    assert_int_equal(guest.late.loader, 0);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(the_host_completes_it_as_often_as_it_is_back),
        LIVE(words_that_cannot_be_started_keep_nobody_waiting),
        LIVE(it_goes_on_without_a_host),
        LIVE(it_is_not_completed_at_the_end),
        LIVE(a_real_root_takes_over),
        LIVE(pid_1_stays_if_it_cannot),
        LIVE(the_hand_over_waits_for_the_modules),
        LIVE(without_a_child_for_the_root_it_goes_on),
        LIVE(what_a_lost_host_asked_for_is_forgotten),
        LIVE(modules_are_loaded_by_a_job),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
