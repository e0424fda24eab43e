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
#include "guest.h"
#include "host.h"
#include "kernel/console.h"
#include "kernel/devices.h"
#include "kernel/loopback.h"
#include "kernel/modules.h"
#include "kernel/mounts.h"
#include "kernel/search_path.h"
#include "kernel/settings.h"
#include "signals.h"

/* Aligned so that what the first frame needs of it lies in one page. */
static _Alignas(4096) struct guest guest;

static void read_cmdline(int argc, char **argv)
{
    char text[INIT_CMDLINE_SIZE];

    if (fd_read_line("/proc/cmdline", text, sizeof(text)) < 0)
        kmsg_log(LOG_ERR, "cannot read /proc/cmdline; using the defaults");
    cmdline_parse(text, &guest.cmdline);
    kmsg_log_set_level(guest.cmdline.log_level);
    for (size_t i = 0; i < guest.cmdline.warning_count; i++)
        kmsg_log(LOG_WARNING, "kernel command line: %.100s: expected %s; using the default",
                 guest.cmdline.warnings[i].word, guest.cmdline.warnings[i].expected);
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

/* The tables of what a host may ask for once it has welcomed us: a page that is touched for the
 * first time costs, and none of these is needed for the first call. */
static void initialize_tables(void)
{
    jobs_init(&guest.jobs, &guest.loop);
    guest.processes.loop = &guest.loop;
    guest.processes.link = &guest.link;
    guest.processes.exits = &guest.exits;
    processes_init(&guest.processes);
    guest.shutdown.loop = &guest.loop;
    guest.shutdown.link = &guest.link;
    guest.shutdown.jobs = &guest.jobs;
    guest.shutdown.processes = &guest.processes;
    guest.shutdown.power_off = guest.cmdline.power_off;
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
        kmsg_log(LOG_WARNING, "cannot follow /dev/kmsg: %s; not reporting a full pool",
                 strerror(-r));
    mounts_rest();
    search_path_guard();
    boot_load_modules(&guest);
    devices_link();
    settings_apply();
    settings_write_hosts();
    r = loopback_up();
    if (r < 0)
        kmsg_log(LOG_ERR, "cannot set up lo: %s", strerror(-r));
    r = fd_write_file("/proc/self/oom_score_adj", "-1000");
    if (r < 0)
        kmsg_log(LOG_ERR, "cannot set /proc/self/oom_score_adj: %s", strerror(-r));
    /* The kernel's own limit of 10 lines in 5 s is below ours. */
    (void)fd_write_file("/proc/sys/kernel/printk_devkmsg", "on\n");
    host_await(&guest);
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
                  "guestlink-init: PID %d, expected PID 1 of a guest; nothing was done "
                  "(--help)\n",
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
    host_call(&guest);
    settle();
    for (;;)
        loop_turn(&guest.loop);
}
