/* boot: the way up after the first call. */
#include "boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "kernel/devices.h"
#include "notify.h"
#include "signals.h"
#include "switch_root.h"
#include "work/root.h"

static void settle_root(struct guest *guest);

static void load_modules(const void *argument, struct report *report)
{
    struct module_list *const *list = argument;

    modules_load(*list, true, report->text, sizeof(report->text));
    devices_open();
}

static void on_modules_loaded(struct job *job, const struct report *report)
{
    struct guest *guest = job->order.context;

    guest->late.loader = 0;
    if (report->text[0] != '\0')
        (void)snprintf(guest->late.failed, sizeof(guest->late.failed),
                       "; modules not loaded: %.200s", report->text);
    settle_root(guest);
}

void boot_load_modules(struct guest *guest)
{
    struct module_list *list = &guest->modules;
    const struct job_order order = {
        .name = "loading modules",
        .work = load_modules,
        .argument = &list,
        .timeout_ms = INIT_MODULES_MS,
        .done = on_modules_loaded,
        .context = guest,
    };
    int r = jobs_start(&guest->jobs, &order);

    if (r < 0)
        kmsg_log(LOG_ERR, "modules: cannot start a process to load them: %s", strerror(-r));
    guest->late.loader = r < 0 ? 0 : r;
}

static void say_ready(struct guest *guest)
{
    struct wire_writer *writer;

    guest->timings.payload_ns = guest->processes.payload_ns;
    guest->timings.ready_ns = clock_now_ns();
    writer = link_begin(&guest->link, FRAME_READY, 0, 0);
    if (writer) {
        event_ready_pack(writer, &guest->timings);
        (void)link_end(&guest->link);
    }
    notify_ready(&guest->jobs, &guest->timings, guest->late.loader);
}

/* Under a real root they are its init's. */
static void start_words(struct guest *guest)
{
    struct report report = {0};

    if (guest->word_count == 0 || guest->processes.payload_ns != 0 || guest->shutdown.agent)
        return;
    if (process_start_words(&guest->processes, guest->words, guest->word_count, &report) != 0)
        kmsg_log(LOG_ERR, "%s", report.text);
}

/*
 * Hands PID 1 over. From here on this is an ordinary child of the real root's init: it goes on with
 * everything that PID 1 had, but ends nothing and unmounts nothing but at that init's word. What
 * the host asked for is done only now, so that this is the parent of all that it has to see end.
 */
static void hand_over(struct guest *guest, struct report *report)
{
    int old_root = -1;

    kmsg_log(LOG_NOTICE, "handing over to %s of %s", guest->cmdline.root_init, guest->cmdline.root);
    if (switch_root(report, &old_root) != 0 ||
        switch_root_hand_over(guest->cmdline.root_init, guest->words, guest->word_count, report) !=
            0)
        return;
    guest->shutdown.agent = true;
    jobs_forget(&guest->jobs);
    (void)prctl(PR_SET_NAME, "guestlink-agent");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    signals_watch(guest);
    switch_root_delete(old_root);
}

/* Once the root is mounted, and the initramfs has no more modules to give. */
static void settle_root(struct guest *guest)
{
    struct report *report = &guest->root.report;

    if (!guest->root.mounted || guest->late.loader != 0 || !guest->hold.on)
        return;
    if (report->error == 0 && guest->shutdown.phase != SHUTDOWN_RUNNING)
        (void)report_fail(report, ESHUTDOWN, "root: shutting down");
    if (report->error == 0)
        hand_over(guest, report);
    if (report->error != 0)
        kmsg_log(LOG_ERR, "%s; PID 1 keeps running", report->text);
    guest->root.mounted = false;
    guest->hold_timer.expired(&guest->hold_timer);
    if (guest->root.alone)
        boot_without_host(guest);
}

static void on_root_mounted(struct job *job, const struct report *mounted)
{
    struct guest *guest = job->order.context;

    guest->root.report = *mounted;
    guest->root.mounted = true;
    settle_root(guest);
}

void boot_mount_root(struct guest *guest)
{
    const struct root_order root = {.cmdline = &guest->cmdline, .late = &guest->late};
    const struct job_order order = {
        .name = "root",
        .work = root_mount,
        .argument = &root,
        .timeout_ms = INIT_ROOT_MS,
        .done = on_root_mounted,
        .context = guest,
    };
    int r;

    if (guest->cmdline.root[0] == '\0' || guest->root.started ||
        guest->shutdown.phase != SHUTDOWN_RUNNING)
        return;
    guest->root.started = true;
    r = jobs_start(&guest->jobs, &order);
    if (r >= 0)
        return;
    (void)report_fail(&guest->root.report, -r, "root: cannot start a process to mount it: %s",
                      strerror(-r));
    guest->root.mounted = true;
    settle_root(guest);
}

void boot_complete(struct guest *guest, uint32_t id)
{
    struct report report = guest->root.report;

    if (guest->shutdown.phase != SHUTDOWN_RUNNING) {
        (void)report_fail(&report, ESHUTDOWN, "boot: shutting down");
        link_answer(&guest->link, id, guest->link.generation, &report);
        return;
    }
    start_words(guest);
    link_answer(&guest->link, id, guest->link.generation, &report);
    say_ready(guest);
}

void boot_without_host(struct guest *guest)
{
    if (guest->shutdown.phase != SHUTDOWN_RUNNING)
        return;
    guest->root.alone = true;
    boot_mount_root(guest);
    if (guest->hold.on)
        return;
    start_words(guest);
    say_ready(guest);
}
