/*
 * kmsg_log: what PID 1 says, to the kernel's log, with a level; and to the host, if one listens.
 *
 * Rate-limited (limits.h), so that a noisy host or child cannot flood the kernel's log; how many
 * lines were kept back is said with the next one. The one state that is not handed around: whatever
 * fails must be able to say so.
 */
#ifndef GUESTLINK_INIT_KMSG_LOG_H
#define GUESTLINK_INIT_KMSG_LOG_H

#include <stdint.h>
#include <syslog.h> /* LOG_ERR … LOG_DEBUG */

/* Gets each line that passed the level and the limit. Must not log. */
typedef void kmsg_log_sink(void *context, int level, uint32_t dropped, const char *text);

/* Opens /dev/kmsg. Lines before this, or if it cannot be opened, go to stderr. */
void kmsg_log_open(void);

/* Lines of a level above @p level (0 to 7) are not said. 6 (info) until then. */
void kmsg_log_set_level(int level);

/* @param sink  NULL for none */
void kmsg_log_set_sink(kmsg_log_sink *sink, void *context);

__attribute__((format(printf, 2, 3))) void kmsg_log(int level, const char *format, ...);

#endif
