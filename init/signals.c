/* signals: what PID 1 is told by the kernel and by other programs, and every child's end. */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "protocol/event.h"
#include "protocol/request.h"

/* Children that are reaped before other sources have their turn. */
#define REAPED_PER_TURN 256

/* Whatever ends in this machine ends here: children, jobs, and every orphan. */
static void reap(struct guest *guest)
{
    for (int i = 0; i < REAPED_PER_TURN; i++) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid < 0 && errno == ECHILD)
            shutdown_alone(&guest->shutdown);
        if (pid <= 0)
            return;
        shutdown_reaped(&guest->shutdown, status);
        if (process_reaped(&guest->processes, pid, status))
            shutdown_program_ended(&guest->shutdown);
        else
            (void)jobs_reaped(&guest->jobs, pid, status);
    }
    loop_arm(&guest->loop, &guest->reap_timer, clock_now_ns());
}

static void on_reap_timer(struct loop_timer *timer)
{
    reap(LOOP_OWNER(timer, struct guest, reap_timer));
}

/* What poweroff, halt and reboot of BusyBox, of systemd, and of lxc send to PID 1. */
static void obey(struct guest *guest, int number, uint32_t sender)
{
    const struct {
        int number;
        uint16_t how;
    } table[] = {
        {SIGUSR1, REQUEST_HALT},        {SIGUSR2, REQUEST_POWER_OFF},
        {SIGTERM, REQUEST_REBOOT},      {SIGPWR, REQUEST_POWER_OFF},
        {SIGINT, REQUEST_REBOOT}, /* Ctrl-Alt-Del */
        {SIGRTMIN + 3, REQUEST_HALT},   {SIGRTMIN + 4, REQUEST_POWER_OFF},
        {SIGRTMIN + 5, REQUEST_REBOOT},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].number == number) {
            (void)shutdown_begin(&guest->shutdown, table[i].how, EVENT_BY_SIGNAL, INIT_GRACE_MS);
            return;
        }
    if (sender == 1)
        return; /* our own SIGPIPE */
    kmsg_log(LOG_NOTICE, "ignored signal %d (SIG%s) from pid %u", number,
             number < SIGRTMIN ? sigabbrev_np(number) : "RT", sender);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct guest *guest = LOOP_OWNER(source, struct guest, signals);
    struct signalfd_siginfo info;

    (void)events;
    if (read(source->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD)
        reap(guest);
    else if (guest->shutdown.agent)
        shutdown_agent(&guest->shutdown);
    else
        obey(guest, (int)info.ssi_signo, info.ssi_pid);
}

void signals_block(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
}

void signals_watch(struct guest *guest)
{
    sigset_t set;

    sigfillset(&set);
    if (guest->shutdown.agent) { /* what another PID 1 ends it with */
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGPWR);
    }
    if (guest->signals.events != 0)
        loop_close(&guest->loop, &guest->signals);
    guest->reap_timer.expired = on_reap_timer;
    guest->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    guest->signals.ready = on_signal;
    if (guest->signals.fd < 0 || loop_add(&guest->loop, &guest->signals, EPOLLIN) < 0)
        kmsg_log(LOG_CRIT, "cannot watch signals: %s", strerror(errno));
    if (!guest->shutdown.agent)
        (void)reboot(RB_DISABLE_CAD); /* from here on Ctrl-Alt-Del is a SIGINT */
}
