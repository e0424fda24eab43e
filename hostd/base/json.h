/*
 * json: objects of json-c, built and read by type.
 */
#ifndef GUESTLINK_HOSTD_JSON_H
#define GUESTLINK_HOSTD_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A JSON object of (const char *key, struct json_object *value) pairs, ended by a NULL key; the
 * values are consumed. @return NULL: no memory */
struct json_object *json_members(const char *key, ...) __attribute__((sentinel));

/* Shorthand: an object of string values, (key, value) pairs ended by a NULL key. */
struct json_object *json_texts(const char *key, ...) __attribute__((sentinel));

/* Adds a member to an object; does nothing if that is NULL (no memory). @param text  NULL is "" */
void json_add_text(struct json_object *object, const char *key, const char *text);
void json_add_number(struct json_object *object, const char *key, uint64_t number);
void json_add_flag(struct json_object *object, const char *key, json_bool flag);

/* @return the member, borrowed; NULL if there is none, it is null, or @p object is no object */
struct json_object *json_member(struct json_object *object, const char *key);

/* @return the elements of an array; 0 if @p value is none */
size_t json_count(struct json_object *value);

/* @return the element, borrowed; NULL if there is none, it is null, or @p value is no array */
struct json_object *json_element(struct json_object *value, size_t index);

/*
 * What others wrote, read by type: each takes any value, NULL (JSON's null) included, and gives
 * what was asked for or nothing.
 */

/* @return the text; NULL if it is none, has a NUL in it or more than @p max bytes */
const char *json_as_text(struct json_object *value, size_t max);

bool json_is_object(struct json_object *value);

/* @return true if it is a flag, and set */
bool json_as_flag(struct json_object *value);

/* @return true if it is a whole number; one beyond the type's range is its end */
bool json_as_number(struct json_object *value, int64_t *ret_number);

/* Copies a text for a person, whatever is in it: cut, and cleaned as text_take() does. @return
 * false if it is none */
bool json_as_words(struct json_object *value, char *buffer, size_t capacity);

/* Parses a document that others wrote: strictly, UTF-8, an object, at most @p depth levels deep. No
 * NUL need be behind its @p size bytes. @return NULL if it is not that, or there is no memory */
struct json_object *json_parse_object(const char *text, size_t size, int depth);

#endif
