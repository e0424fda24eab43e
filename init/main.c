/*
 * guestlink-init: PID 1 of a guest. What it does, in order, is what main() says; guestlink-init(8)
 * says it in full.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/kmsg_log.h"
#include "boot.h"
#include "dispatch.h"
#include "guest.h"
#include "kernel/console.h"
#include "kernel/facts.h"
#include "kernel/modules.h"
#include "kernel/mounts.h"
#include "signals.h"
#include "work/network.h"

static struct guest guest;

static void greet(struct link *link, struct wire_writer *writer)
{
    (void)link;
    guest.timings.connected_ns = clock_now_ns();
    guest.facts.sent_ns = guest.timings.connected_ns;
    capabilities_pack(writer, &guest.facts);
}

static void greeted(struct link *link)
{
    (void)link;
    guest.timings.sent_ns = clock_now_ns();
}

static void log_to_host(void *context, int level, uint32_t dropped, const char *text)
{
    const struct event_log_record record = {.time_ns = clock_now_ns(),
                                            .level = (uint16_t)level,
                                            .dropped = dropped,
                                            .text = wire_text_of(text)};
    struct wire_writer *writer;

    (void)context;
    if (link_room(&guest.link) < INIT_OUTPUT_RESERVE || !wire_text_is_valid(record.text))
        return;
    writer = link_begin(&guest.link, FRAME_LOG_RECORD, 0, 0);
    if (writer) {
        event_log_record_pack(writer, &record);
        (void)link_end(&guest.link);
    }
}

static void welcomed(struct link *link)
{
    guest.timings.welcomed_ns = clock_now_ns();
    loop_disarm(&guest.loop, &guest.patience);
    kmsg_log_set_sink(log_to_host, NULL);
    exit_report_send(&guest.exits, link);
}

static const char *take_frame(struct link *link, const struct frame *frame)
{
    (void)link;
    return dispatch_frame(&guest, frame);
}

static void drained(struct link *link)
{
    exit_report_send(&guest.exits, link);
    process_resume(&guest.processes);
}

static void lost(struct link *link)
{
    (void)link;
    kmsg_log_set_sink(NULL, NULL);
    exit_report_lost(&guest.exits);
    process_lost(&guest.processes);
    shutdown_lost(&guest.shutdown);
    if (guest.cmdline.power_off_on_host_loss)
        (void)shutdown_begin(&guest.shutdown, REQUEST_POWER_OFF, EVENT_BY_HOST_LOSS, INIT_GRACE_MS);
}

static const struct link_user link_user = {
    .greet = greet,
    .greeted = greeted,
    .welcomed = welcomed,
    .frame = take_frame,
    .drained = drained,
    .lost = lost,
};

static void answer_process(struct processes *processes, uint32_t id, uint32_t generation,
                           const struct report *report)
{
    (void)processes;
    link_answer(&guest.link, id, generation, report);
}

static void on_patience(struct loop_timer *timer)
{
    (void)timer;
    kmsg_log(LOG_NOTICE, "connect: no host answered in %u ms; going on without it",
             guest.cmdline.connect_timeout_ms);
    boot_without_host(&guest);
}

static void load_late_modules(const void *argument, struct report *report)
{
    (void)argument;
    modules_load(&guest.modules, true, report->text, sizeof(report->text));
}

static void on_modules_loaded(struct job *job, const struct report *report)
{
    (void)job;
    guest.modules_pid = 0;
    (void)snprintf(guest.modules_failed, sizeof(guest.modules_failed), "%s", report->text);
}

static void start_late_modules(void)
{
    const struct job_order order = {
        .name = "loading modules",
        .work = load_late_modules,
        .timeout_ms = INIT_MODULES_MS,
        .done = on_modules_loaded,
    };
    int r = jobs_start(&guest.jobs, &order);

    if (r < 0)
        kmsg_log(LOG_ERR, "modules: no child to load them: %s", strerror(-r));
    guest.modules_pid = r < 0 ? 0 : r;
}

static void read_cmdline(int argc, char **argv)
{
    char text[INIT_CMDLINE_SIZE];

    if (fd_read_file("/proc/cmdline", text, sizeof(text)) < 0)
        kmsg_log(LOG_ERR, "/proc/cmdline cannot be read; the defaults are used");
    cmdline_parse(text, &guest.cmdline);
    kmsg_log_set_level(guest.cmdline.log_level);
    for (size_t i = 0; i < guest.cmdline.warning_count; i++)
        kmsg_log(LOG_WARNING, "%s", guest.cmdline.warnings[i]);
    /* The kernel hands on unknown words before `--` as well; those after it are the last. */
    guest.word_count = guest.cmdline.payload_words;
    if (guest.word_count > (size_t)argc - 1)
        guest.word_count = (size_t)argc - 1;
    guest.words = argv + ((size_t)argc - guest.word_count);
}

/* Everything that the handshake needs. */
static void prepare(int argc, char **argv)
{
    guest.timings.started_ns = clock_now_ns();
    mounts_early();
    console_ensure();
    kmsg_log_open();
    read_cmdline(argc, argv);
    modules_read(&guest.modules, &guest.cmdline);
    modules_load(&guest.modules, false, NULL, 0);
    guest.timings.modules_ns = clock_now_ns();
}

/* The facts are gathered while the connection is being made. */
static void call_host(void)
{
    link_start(&guest.link, &guest.loop, &guest.cmdline.host, &link_user);
    facts_measure(&guest.cmdline, &guest.modules, guest.timings.started_ns, &guest.facts);
    link_await(&guest.link, INIT_FIRST_CALL_MS);
}

/* The tables of what a host may ask for once it has welcomed us: a page that is touched for the
 * first time costs, and none of these is needed for the first call. */
static void initialize_tables(void)
{
    jobs_init(&guest.jobs, &guest.loop);
    guest.processes.loop = &guest.loop;
    guest.processes.link = &guest.link;
    guest.processes.exits = &guest.exits;
    guest.processes.answer = answer_process;
    processes_init(&guest.processes);
    guest.shutdown.loop = &guest.loop;
    guest.shutdown.link = &guest.link;
    guest.shutdown.jobs = &guest.jobs;
    guest.shutdown.processes = &guest.processes;
}

/* Everything that the handshake does not need. */
static void settle(void)
{
    int r;

    signals_block();
    initialize_tables();
    signals_watch(&guest);
    r = pool_pressure_start(&guest.pressure, &guest.loop, &guest.link);
    if (r < 0)
        kmsg_log(LOG_WARNING,
                 "/dev/kmsg cannot be followed: %s; a pool that runs dry is not "
                 "reported",
                 strerror(-r));
    start_late_modules();
    mounts_rest();
    r = network_loopback_up();
    if (r < 0)
        kmsg_log(LOG_ERR, "lo: cannot be set up: %s", strerror(-r));
    r = fd_write_file("/proc/self/oom_score_adj", "-1000");
    if (r < 0)
        kmsg_log(LOG_ERR, "/proc/self/oom_score_adj: %s", strerror(-r));
    /* The kernel's own limit of 10 lines in 5 s is below ours. */
    (void)fd_write_file("/proc/sys/kernel/printk_devkmsg", "on\n");
    guest.patience.expired = on_patience;
    if (guest.link.state != LINK_UP)
        loop_arm(&guest.loop, &guest.patience, clock_in_ms(guest.cmdline.connect_timeout_ms));
}

static void initialize(void)
{
    if (loop_init(&guest.loop) < 0)
        kmsg_log(LOG_CRIT, "epoll_create: %s", strerror(errno));
}

/* For a person who tries it. */
static int explain(const char *option)
{
    static const char help[] =
        "guestlink-init is the first program (PID 1) of a virtual machine: give it to the\n"
        "guest's kernel as /init of its initramfs; guestlink-mkinitramfs(8) makes one.\n"
        "The kernel's command line and the host tell it what to do: guestlink-init(8).\n\n"
        "  -h, --help   -V, --version\n";

    if (strcmp(option, "--version") == 0 || strcmp(option, "-V") == 0)
        return puts("guestlink-init " GUESTLINK_VERSION) < 0;
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        return fputs(help, stdout) < 0;
    (void)fprintf(stderr,
                  "guestlink-init: PID %d, expected PID 1 of a guest; nothing is done (--help)\n",
                  (int)getpid());
    return 2;
}

int main(int argc, char **argv)
{
    if (getpid() != 1)
        return explain(argc == 2 ? argv[1] : "");

    /* ---- Nothing may exit past this line: the end of PID 1 is the end of the machine. ---- */

    prepare(argc, argv);
    initialize();
    call_host();
    settle();
    for (;;)
        loop_turn(&guest.loop);
}
