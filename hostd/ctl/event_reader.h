/*
 * event reader: the lines of a telemetry file and of the files that rotation made of it, oldest
 * first, each once, also while it grows and rotates.
 */
#ifndef GUESTLINK_CTL_EVENT_READER_H
#define GUESTLINK_CTL_EVENT_READER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of one line at most, as the daemon writes them; longer ones are not telemetry. */
#define EVENT_READER_LINE_BYTES 65536u

struct event_reader;

/*
 * @param path    of the newest file; FILE.1, FILE.2 … are read before it
 * @param follow  wait for more at the end, also for the file to come into being
 * @return 0 or -errno (-ENOENT: no such file, unless @p follow)
 */
int event_reader_new(const char *path, bool follow, struct event_reader **ret_reader);
struct event_reader *event_reader_free(struct event_reader *reader);

/*
 * Takes the next line, without its newline; waits for it if it follows.
 *
 * @param ret_line  the reader's own, until the next call
 * @return 1: a line; 0: the end; -errno
 */
int event_reader_next(struct event_reader *reader, char **ret_line);

/* True once, if files were rotated away before they were read. */
bool event_reader_take_gap(struct event_reader *reader);

#endif
