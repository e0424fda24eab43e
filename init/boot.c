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

static void load_modules(const void *argument, struct report *report)
{
    struct module_list *const *list = argument;

    modules_load(*list, true, report->text, sizeof(report->text));
    devices_open();
}

static void on_modules_loaded(struct job *job, const struct report *report)
{
    struct modules_late *late = job->order.context;

    late->loader = 0;
    if (report->text[0] != '\0')
        (void)snprintf(late->failed, sizeof(late->failed),
                       "; modules that could not be loaded: %.200s", report->text);
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
        .context = &guest->late,
    };
    int r = jobs_start(&guest->jobs, &order);

    if (r < 0)
        kmsg_log(LOG_ERR, "modules: no child to load them: %s", strerror(-r));
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

static void start_words(struct guest *guest)
{
    struct report report = {0};

    if (guest->word_count == 0 || guest->processes.payload_ns != 0)
        return;
    if (process_start_words(&guest->processes, guest->words, guest->word_count, &report) != 0)
        kmsg_log(LOG_ERR, "%s", report.text);
}

/*
 * Hands PID 1 over. From here on this is an ordinary child of the real root's init: it goes on with
 * everything that PID 1 had, but ends nothing and unmounts nothing but at that init's word.
 */
static void hand_over(struct guest *guest, struct report *report)
{
    int old_root = -1;

    kmsg_log(LOG_NOTICE, "handing over to %s of %s", guest->cmdline.root_init, guest->cmdline.root);
    if (switch_root(report, &old_root) != 0 ||
        switch_root_hand_over(guest->cmdline.root_init, report) != 0)
        return;
    guest->shutdown.agent = true;
    (void)prctl(PR_SET_NAME, "guestlink-agent");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    signals_watch(guest);
    switch_root_delete(old_root);
}

static void on_root_mounted(struct job *job, const struct report *mounted)
{
    struct guest *guest = job->order.context;
    struct report report = *mounted;

    if (report.error == 0 && guest->shutdown.phase != SHUTDOWN_RUNNING)
        (void)report_fail(&report, ESHUTDOWN, "root: shutting down");
    if (report.error == 0)
        hand_over(guest, &report);
    if (report.error != 0)
        kmsg_log(LOG_ERR, "%s; PID 1 stays", report.text);
    link_answer(&guest->link, job->order.id, job->order.generation, &report);
    if (report.error != 0)
        start_words(guest);
    say_ready(guest);
}

/* @return 0: on_root_mounted() answers */
static int start_root(struct guest *guest, uint32_t id)
{
    const struct root_order root = {.cmdline = &guest->cmdline, .late = &guest->late};
    const struct job_order order = {
        .name = "root",
        .work = root_mount,
        .argument = &root,
        .timeout_ms = INIT_ROOT_MS,
        .done = on_root_mounted,
        .context = guest,
        .id = id,
        .generation = guest->link.generation,
    };
    int r = jobs_start(&guest->jobs, &order);

    if (r < 0)
        kmsg_log(LOG_ERR, "root: no child to mount it: %s", strerror(-r));
    else
        guest->root_started = true;
    return r < 0 ? r : 0;
}

void boot_complete(struct guest *guest, uint32_t id)
{
    struct report report = {0};

    if (guest->shutdown.phase != SHUTDOWN_RUNNING) {
        (void)report_fail(&report, ESHUTDOWN, "boot: shutting down");
        link_answer(&guest->link, id, guest->link.generation, &report);
        return;
    }
    if (guest->cmdline.root[0] != '\0' && !guest->root_started && start_root(guest, id) == 0)
        return;
    if (!guest->root_started)
        start_words(guest);
    link_answer(&guest->link, id, guest->link.generation, &report);
    say_ready(guest);
}

void boot_without_host(struct guest *guest)
{
    if (guest->shutdown.phase != SHUTDOWN_RUNNING)
        return;
    if (guest->cmdline.root[0] != '\0' && !guest->root_started && start_root(guest, 0) == 0)
        return;
    start_words(guest);
    say_ready(guest);
}
