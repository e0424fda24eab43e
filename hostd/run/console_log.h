/*
 * console log: what a guest writes on its console, in two files of bounded size.
 *
 * PATH gets the bytes as they come; when it is full it becomes PATH.1, whose bytes before are gone,
 * and a new PATH begins. Together they never hold more than twice the limit, whatever the guest
 * writes and for however long.
 *
 * A disk without room loses bytes, and never stops the guest: the loss is reported on stderr once,
 * and noted in the file where the missing bytes would be as soon as there is room again.
 */
#ifndef GUESTLINK_RUN_CONSOLE_LOG_H
#define GUESTLINK_RUN_CONSOLE_LOG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest note of missing bytes; the least limit that a log can have. */
#define CONSOLE_LOG_NOTE 128u

struct console_log {
    const char *path; /* the caller's, for the log's life */
    char old[PATH_MAX];
    int fd;
    uint64_t limit; /* bytes of each file */
    uint64_t size;  /* of the current one */
    uint64_t lost;  /* bytes since the last one that was written */
};

#define CONSOLE_LOG_NULL ((struct console_log){.fd = -1})

/*
 * Goes on with the file at @p path, or makes one. A file that cannot be opened is reported, and
 * tried again at each write: the guest does not wait for it.
 *
 * @param limit  bytes of each of the two files, at least CONSOLE_LOG_NOTE
 * @return 0, -ENAMETOOLONG, or -EINVAL: the limit is too small
 */
int console_log_open(struct console_log *log, const char *path, uint64_t limit);

/* Writes @p size bytes, or counts them as lost. */
void console_log_write(struct console_log *log, const char *data, size_t size);

void console_log_close(struct console_log *log);

/* Writes what comes from @p from until its end, which is when QEMU is gone. */
void console_log_copy(struct console_log *log, int from);

#endif
