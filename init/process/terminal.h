/*
 * terminal: a pseudo-terminal for one program. PID 1 keeps the master: what is written to it is
 * typed, what is read from it is shown, and closing it hangs up on the program.
 */
#ifndef GUESTLINK_INIT_TERMINAL_H
#define GUESTLINK_INIT_TERMINAL_H

#include <stdint.h>

/*
 * Opens one, with the usual settings of a terminal and UTF-8.
 *
 * @param rows, columns  0: not known
 * @param ret_master     non-blocking
 * @param ret_slave      for the program. Both are close-on-exec and the caller's
 * @return 0 or a negative errno: -ENOENT, -ENODEV (no devpts), -ENOSPC (kernel.pty.max)
 */
int terminal_open(uint16_t rows, uint16_t columns, int *ret_master, int *ret_slave);

/* Sets its size; its foreground gets SIGWINCH if that is another one. @return 0 or a negative
 * errno */
int terminal_resize(int master, uint16_t rows, uint16_t columns);

/* The character that ends the input of who reads lines, Ctrl-D unless somebody changed it. */
uint8_t terminal_end_of_file(int master);

#endif
