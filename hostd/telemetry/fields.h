/*
 * fields: an event's own fields, put together without a check at each step. What finds no memory is
 * left out of the event.
 */
#ifndef GUESTLINK_HOSTD_FIELDS_H
#define GUESTLINK_HOSTD_FIELDS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Each adds one field to @p fields, an object or NULL; @p key must outlive the object. */
void fields_text(struct json_object *fields, const char *key, const char *value);
void fields_number(struct json_object *fields, const char *key, uint64_t value);
void fields_flag(struct json_object *fields, const char *key, bool value);
/* An address: "0x14000000". */
void fields_address(struct json_object *fields, const char *key, uint64_t value);

#endif
