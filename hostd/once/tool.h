/*
 * tool: guestlink's own programs, which lie beside this one in a build and in a package, and
 * programs that do one thing and end.
 */
#ifndef GUESTLINK_ONCE_TOOL_H
#define GUESTLINK_ONCE_TOOL_H

#include "protocol/limits.h"
#include "words.h"

#include <sys/types.h>

/* Lets this process, and what it starts, find programs that only root has in its PATH: depmod,
 * modprobe, our own; and what the daemon looks for in libexec, beside this program's own folder. */
void tool_extend_path(void);

/*
 * Finds guestlink-hostd, guestlink-init, guestlink-mkinitramfs or guestlink-enter.
 *
 * @param package  what has it, for the message
 * @return 0; or -ENOENT after an explanation on stderr
 */
int tool_find(const char *name, const char *package, char ret_path[LIMITS_PATH]);

/* In a child: signals as a program expects them, and an end with that of the parent @p parent, or
 * at once if that has ended already. */
void tool_prepare_child(pid_t parent);

/*
 * Runs a program to its end; its standard output is our standard error.
 *
 * @param what  shown on a terminal if it takes longer than a second: "making the guest's image"
 * @param stop  ends it as soon as this has something to read, or its other end is gone; -1: nothing
 *              does
 * @return its exit status, 128 + N if signal N ended it; -ECANCELED: ended by @p stop; -errno
 */
int tool_run(const struct words *words, const char *what, int stop);

/* "guestlink: WHAT …" on stderr if that is a terminal. */
void tool_tell_progress(const char *what);

#endif
