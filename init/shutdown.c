/* shutdown: the end of the machine, step by step. */
#include "shutdown.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "kernel/power.h"
#include "notify.h"
#include "process/payload.h"
#include "protocol/event.h"
#include "protocol/request.h"
#include "work/real_init.h"
#include "work/unmount.h"

static void on_timer(struct loop_timer *timer);

static const char *how_name(uint16_t how)
{
    return how == REQUEST_REBOOT ? "reboot" : how == REQUEST_HALT ? "halt" : "power off";
}

static void finish(struct shutdown *shutdown)
{
    unsigned command = RB_POWER_OFF;
    bool instead = shutdown->how == REQUEST_POWER_OFF && power_off_by_reboot(shutdown->power_off);

    if (shutdown->agent)
        _exit(0);
    kmsg_log(LOG_NOTICE, "%s now%s", how_name(shutdown->how),
             instead ? ", by a reboot: there is no ACPI, or guestlink.poweroff=reboot" : "");
    if (shutdown->how == REQUEST_REBOOT || instead)
        command = RB_AUTOBOOT;
    else if (shutdown->how == REQUEST_HALT)
        command = RB_HALT_SYSTEM;
    (void)reboot((int)command);
    /* A machine without that way out: PID 1 must not end, so it goes on serving. */
    kmsg_log(LOG_CRIT, "%s: %s; waiting for the host to stop this VM", how_name(shutdown->how),
             strerror(errno));
}

static void say_farewell(struct shutdown *shutdown)
{
    const struct event_farewell farewell = {.how = shutdown->how,
                                            .reason = shutdown->reason,
                                            .killed = shutdown->killed,
                                            .mounted = shutdown->mounted};
    uint32_t id = link_new_id(shutdown->link);
    struct wire_writer *writer = link_begin(shutdown->link, FRAME_FAREWELL, 0, id);

    shutdown->phase = SHUTDOWN_FAREWELL;
    if (writer) {
        event_farewell_pack(writer, &farewell);
        (void)link_end(shutdown->link);
        shutdown->farewell_id = id;
        loop_arm(shutdown->loop, &shutdown->timer, clock_in_ms(INIT_FAREWELL_MS));
    } else {
        finish(shutdown);
    }
}

/* Was the host sent all output and every exit? A host that does not read holds them up. */
static bool all_is_sent(const struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        const struct process *process = &processes->table[i];

        if (process->used && process->exited && !process->orphaned)
            return false;
    }
    for (size_t i = 0; i < processes->exits->count; i++)
        if (processes->exits->table[i].id == 0)
            return false;
    return true;
}

/* The farewell is the last that a host hears, so what came before it has its time. */
static void say_farewell_last(struct shutdown *shutdown)
{
    if (shutdown->link->state == LINK_UP && !all_is_sent(shutdown->processes) &&
        clock_now_ns() < shutdown->sent_until_ns)
        loop_arm(shutdown->loop, &shutdown->timer, clock_in_ms(INIT_SENT_LOOK_MS));
    else
        say_farewell(shutdown);
}

static void on_unmounted(struct job *job, const struct report *report)
{
    struct shutdown *shutdown = job->order.context;

    /* A child that did not come to its end has words; what it left is then not known. */
    shutdown->mounted = report->text[0] == '\0' ? (uint32_t)report->error : 1;
    if (report->text[0] != '\0')
        kmsg_log(LOG_ERR, "%s", report->text);
    shutdown->sent_until_ns = clock_in_ms(INIT_SENT_MS);
    say_farewell_last(shutdown);
}

static void unmount(struct shutdown *shutdown)
{
    const struct job_order order = {
        .name = "unmounting",
        .work = unmount_all,
        .timeout_ms = INIT_SYNC_MS,
        .done = on_unmounted,
        .context = shutdown,
    };

    shutdown->phase = SHUTDOWN_UNMOUNTING;
    jobs_forget(shutdown->jobs); /* beyond the reach of SIGKILL; these two need their room */
    notify_stopping(shutdown->jobs, how_name(shutdown->how));
    loop_disarm(shutdown->loop, &shutdown->timer);
    if (jobs_start(shutdown->jobs, &order) < 0) {
        /* No child to be had: PID 1 does the least by itself, with nothing else left to do. */
        sync();
        say_farewell(shutdown);
    }
}

/* kill(-1) cannot tell: it counts the kernel's threads. */
static bool is_alone(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void kill_all(struct shutdown *shutdown)
{
    shutdown->phase = SHUTDOWN_KILLING;
    (void)kill(-1, SIGKILL);
    loop_arm(shutdown->loop, &shutdown->timer, clock_in_ms(INIT_KILL_MS));
}

static void terminate_all(struct shutdown *shutdown)
{
    shutdown->phase = SHUTDOWN_TERMINATING;
    if (is_alone()) {
        unmount(shutdown);
        return;
    }
    (void)kill(-1, SIGTERM);
    processes_hang_up_terminals(shutdown->processes);
    (void)kill(-1, SIGCONT); /* what is stopped could not see its SIGTERM */
    loop_arm(shutdown->loop, &shutdown->timer, clock_in_ms(shutdown->grace_ms));
}

static void on_timer(struct loop_timer *timer)
{
    struct shutdown *shutdown = LOOP_OWNER(timer, struct shutdown, timer);

    switch (shutdown->phase) {
    case SHUTDOWN_STOPPING:
        kmsg_log(LOG_WARNING, "the payload did not exit in time; sending SIGKILL");
        shutdown->forced = true;
        payload_kill(shutdown->processes);
        terminate_all(shutdown);
        break;
    case SHUTDOWN_TERMINATING:
        kill_all(shutdown);
        break;
    case SHUTDOWN_KILLING:
        kmsg_log(LOG_WARNING, "some processes survived SIGKILL; continuing");
        unmount(shutdown);
        break;
    case SHUTDOWN_FAREWELL:
        kmsg_log(LOG_WARNING, "host: farewell not acknowledged within %u ms", INIT_FAREWELL_MS);
        finish(shutdown);
        break;
    case SHUTDOWN_UNMOUNTING: /* has ended: the job has its own deadline */
        say_farewell_last(shutdown);
        break;
    case SHUTDOWN_RUNNING:
        break;
    }
}

static void on_init_told(struct job *job, const struct report *report)
{
    (void)job;
    if (report->error != 0)
        kmsg_log(LOG_ERR, "%s", report->text);
}

/* systemd(1), "Signals": the same as systemctl poweroff, reboot, halt; who does not know the signal
 * ignores it, as PID 1, and is told by its own program. SIGTERM comes back at the end, when
 * everything else is stopped. */
static bool tell_init(const struct shutdown *shutdown)
{
    static const int signals[] = {
        [REQUEST_POWER_OFF] = 4, [REQUEST_REBOOT] = 5, [REQUEST_HALT] = 3};
    const struct job_order order = {
        .name = "notifying the real root's init",
        .work = real_init_tell,
        .argument = &shutdown->how,
        .timeout_ms = INIT_TELL_MS,
        .done = on_init_told,
    };

    if (jobs_start(shutdown->jobs, &order) < 0)
        kmsg_log(LOG_ERR, "%s: cannot start a process to notify the real root's init",
                 how_name(shutdown->how));
    if (kill(1, SIGRTMIN + signals[shutdown->how]) < 0)
        kmsg_log(LOG_ERR, "%s: cannot notify PID 1: %s", how_name(shutdown->how), strerror(errno));
    return true;
}

void shutdown_agent(struct shutdown *shutdown)
{
    if (shutdown->phase == SHUTDOWN_FAREWELL)
        return;
    if (shutdown->phase == SHUTDOWN_RUNNING)
        shutdown->reason = EVENT_BY_SIGNAL;
    shutdown->timer.expired = on_timer;
    say_farewell(shutdown);
}

bool shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason, uint32_t grace_ms)
{
    uint32_t stop_ms;

    if (shutdown->phase != SHUTDOWN_RUNNING)
        return false;
    shutdown->phase = shutdown->agent ? SHUTDOWN_TERMINATING : SHUTDOWN_STOPPING;
    shutdown->how = how;
    shutdown->reason = reason;
    shutdown->grace_ms = grace_ms;
    shutdown->timer.expired = on_timer;
    shutdown->processes->stopping = true;
    kmsg_log(LOG_NOTICE, "%s: stopping everything, at most %u ms before SIGKILL", how_name(how),
             grace_ms);
    if (shutdown->agent)
        return tell_init(shutdown);
    stop_ms = payload_stop(shutdown->processes, grace_ms);
    if (stop_ms > 0)
        loop_arm(shutdown->loop, &shutdown->timer, clock_in_ms(stop_ms));
    else
        terminate_all(shutdown);
    return true;
}

void shutdown_program_ended(struct shutdown *shutdown)
{
    if (shutdown->phase == SHUTDOWN_STOPPING && !payload_runs(shutdown->processes))
        terminate_all(shutdown);
}

void shutdown_reaped(struct shutdown *shutdown, int status)
{
    if ((shutdown->phase == SHUTDOWN_KILLING || shutdown->forced) && WIFSIGNALED(status) &&
        WTERMSIG(status) == SIGKILL)
        shutdown->killed++;
}

void shutdown_alone(struct shutdown *shutdown)
{
    if (!shutdown->agent &&
        (shutdown->phase == SHUTDOWN_STOPPING || shutdown->phase == SHUTDOWN_TERMINATING ||
         shutdown->phase == SHUTDOWN_KILLING))
        unmount(shutdown);
}

void shutdown_acknowledged(struct shutdown *shutdown, uint32_t id)
{
    if (shutdown->phase == SHUTDOWN_FAREWELL && id == shutdown->farewell_id)
        finish(shutdown);
}

void shutdown_lost(struct shutdown *shutdown)
{
    if (shutdown->phase == SHUTDOWN_FAREWELL)
        finish(shutdown);
}
