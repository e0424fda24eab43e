/*
 * json: objects of json-c, built in one expression.
 */
#ifndef GUESTLINK_HOSTD_JSON_H
#define GUESTLINK_HOSTD_JSON_H

#include <json-c/json.h>

/* A JSON object of (const char *key, struct json_object *value) pairs, ended by a NULL key; the
 * values are consumed. @return NULL: no memory */
struct json_object *json_members(const char *key, ...) __attribute__((sentinel));

/* Shorthand: an object of string values, (key, value) pairs ended by a NULL key. */
struct json_object *json_texts(const char *key, ...) __attribute__((sentinel));

#endif
