/*
 * child exec: what happens in a child between fork and execve, and the record that it leaves.
 *
 * A record is one line, "PID START BOOT_ID\n": START is field 22 of /proc/PID/stat (clock ticks
 * since boot, proc(5)). The three together name one process forever.
 */
#ifndef GUESTLINK_HOSTD_CHILD_EXEC_H
#define GUESTLINK_HOSTD_CHILD_EXEC_H

#include "child.h"

#define CHILD_NOT_STARTED 126 /* what had to be done before the program could not be done */
#define CHILD_NOT_FOUND   127

/* Becomes what @p spec says, or ends with one of these two after a sentence on stderr. */
_Noreturn void child_exec(const struct child_spec *spec);

/*
 * Reads a record and checks that its process lives.
 *
 * @return 0; -ESRCH if the process is gone, the number is another's, or the record is not whole
 */
int child_record_read(const char *path, pid_t *ret_pid);

#endif
