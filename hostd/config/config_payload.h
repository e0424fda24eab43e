/*
 * config payload: a VM's "payload", the words of a command or an object with more about it.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_PAYLOAD_H
#define GUESTLINK_HOSTD_CONFIG_PAYLOAD_H

#include "config_reader.h"

/* A config_read_fn into a struct config_payload, all zero and config_payload_done()'s to free. */
void config_payload_read(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to);
void config_payload_done(struct config_payload *payload);

#endif
