/*
 * sink: what a process writes, read as it comes and kept within a bound.
 */
#ifndef GUESTLINK_HOSTD_SINK_H
#define GUESTLINK_HOSTD_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* What is kept of a process's stderr: enough for a few lines, and for one journal entry. */
#define SINK_LAST_WORDS 1024u

enum sink_keep {
    SINK_KEEP_FIRST, /* the first bytes; more is an overflow */
    SINK_KEEP_LAST,  /* the last bytes, as for a process's last words */
};

struct sink;

/*
 * @param fd   the reading end of a pipe; consumed whatever happens, made non-blocking
 * @param max  bytes kept
 * @return 0 or -errno
 */
int sink_new(sd_event *event, int fd, enum sink_keep keep, size_t max, struct sink **ret_sink);
struct sink *sink_free(struct sink *sink);

/* Reads what is there now. For after the writer's end, when the loop had no turn yet. */
void sink_drain(struct sink *sink);

/* The bytes kept, also NUL-terminated; the sink's own. */
const char *sink_data(const struct sink *sink, size_t *ret_size);

/* True if SINK_KEEP_FIRST had to drop something. */
bool sink_has_overflown(const struct sink *sink);

/*
 * The last words as one line for a message: cleaned (text.h), line ends become "; ".
 *
 * @param sink    NULL gives ""
 * @param buffer  at least SINK_LAST_WORDS + 1 bytes for all of it
 * @return @p buffer
 */
const char *sink_last_words(const struct sink *sink, char *buffer, size_t capacity);

#endif
