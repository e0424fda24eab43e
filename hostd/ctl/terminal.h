/*
 * terminal: our own, whose keys and screen a command in a guest has for a while.
 *
 * There is one at most: standard input. However this process ends, but for SIGKILL, its settings
 * are back as they were.
 */
#ifndef GUESTLINK_CTL_TERMINAL_H
#define GUESTLINK_CTL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

struct terminal_size {
    uint16_t rows, columns; /* 0: not known */
};

/* True if standard input is a terminal. */
bool terminal_is_there(void);

struct terminal_size terminal_size(void);

/*
 * Blocks SIGWINCH, SIGTSTP and SIGCONT. @return a signalfd(2) for them, to be closed by the caller;
 * or -1
 */
int terminal_watch(void);

/* Makes it raw: every key is a byte that is read at once, and nothing else. SIGPIPE is ignored from
 * then on. In the background this stops the process until it is in the foreground. Again: no
 * effect, unless terminal_leave() was called or a shell changed the settings meanwhile.
 * @return 0 or -errno */
int terminal_enter(void);

/* Gives it its settings back, unless another process group has it by now. */
void terminal_leave(void);

/* For SIGTSTP: leaves it and stops this process. Back again, SIGCONT asks for terminal_enter(). */
void terminal_stop(void);

#endif
