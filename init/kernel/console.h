/*
 * console: standard input, output and error of PID 1 and of what inherits them.
 */
#ifndef GUESTLINK_INIT_CONSOLE_H
#define GUESTLINK_INIT_CONSOLE_H

/* Opens /dev/console, else /dev/null, as 0, 1 and 2 if the kernel opened none. After /dev is
 * mounted and before anything else is opened. */
void console_ensure(void);

#endif
