/* terminal: raw, and back. */
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

static struct termios usual; /* as it was when we first entered */
static volatile sig_atomic_t entered;

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) == 1;
}

struct terminal_size terminal_size(void)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return (struct terminal_size){0};
    return (struct terminal_size){.rows = size.ws_row, .columns = size.ws_col};
}

int terminal_watch(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGWINCH);
    (void)sigaddset(&set, SIGTSTP);
    (void)sigaddset(&set, SIGCONT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* A background process that changes the settings is stopped by the kernel, and they are another's.
 */
static bool is_ours(void)
{
    pid_t foreground = tcgetpgrp(STDIN_FILENO); /* fails if it does not control us: nobody's */

    return foreground < 0 || foreground == getpgrp();
}

void terminal_leave(void)
{
    if (!entered)
        return;
    entered = 0;
    if (is_ours())
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &usual); /* does not wait for a screen that stands */
}

static void on_fatal(int number)
{
    terminal_leave();
    (void)raise(number); /* SA_RESETHAND: ends us */
}

/* What ends a process by default, and is not watched (signal_watch.h). */
static void guard(void)
{
    static const int fatal[] = {SIGABRT, SIGALRM, SIGBUS,  SIGFPE,  SIGILL,    SIGSEGV, SIGSYS,
                                SIGTRAP, SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGXFSZ};
    static bool guarded;
    const struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};

    if (guarded)
        return;
    guarded = true;
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        (void)sigaction(fatal[i], &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* the writer says so itself, and leaves first */
    (void)atexit(terminal_leave);
}

int terminal_enter(void)
{
    static bool known;
    struct termios raw;

    if (!known && tcgetattr(STDIN_FILENO, &usual) < 0)
        return -errno;
    known = true;
    raw = usual;
    cfmakeraw(&raw);
    guard();
    entered = 1;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0)
        return 0;
    entered = 0;
    return -errno;
}

void terminal_stop(void)
{
    terminal_leave();
    (void)raise(SIGSTOP);
}
