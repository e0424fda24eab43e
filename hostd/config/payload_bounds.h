/*
 * config payload bounds: the keys of a payload that say what it may use and how it is ended.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_PAYLOAD_BOUNDS_H
#define GUESTLINK_HOSTD_CONFIG_PAYLOAD_BOUNDS_H

#include "reader.h"

/* "limits": {"nofile": [1024, 524288], "core": "unlimited"}; into a struct config_strings of items
 * as START_PROCESS has them (protocol/process_limit.h). */
void config_read_limits(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to);

/* "umask": "0027"; into a uint32_t, with CONFIG_UMASK_GIVEN. */
void config_read_umask(struct config_reader *reader, const struct config_json *node,
                       const struct config_field *field, void *to);

/* "stop_signal": "SIGQUIT", "QUIT", "SIGRTMIN+3" or a number; into a uint32_t. */
void config_read_signal(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to);

#endif
