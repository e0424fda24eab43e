/*
 * qmp reader: what QEMU says, read by type.
 *
 * A QEMU that its guest took over says what it likes. Nothing of it is read but by these functions,
 * and json_member(), json_count() and json_element(): each takes any value, NULL (JSON's null)
 * included, and gives what was asked for or nothing.
 */
#ifndef GUESTLINK_HOSTD_QMP_READER_H
#define GUESTLINK_HOSTD_QMP_READER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of an id, a name or a type: QEMU's have some dozens. */
#define QMP_TEXT_MAX ((size_t)1024)

/* What the answer to a command has to be, for us to read it (QEMU's qapi). */
enum qmp_shape {
    QMP_SHAPE_OBJECT, /* of which nothing is read */
    QMP_SHAPE_TEXT,
    QMP_SHAPE_FLAG,
    QMP_SHAPE_PROPERTIES,     /* [ObjectPropertyInfo]: objects with the texts `name` and `type` */
    QMP_SHAPE_MEMORIES,       /* [Memdev]: objects with the flag `share` */
    QMP_SHAPE_MEMORY_DEVICES, /* [MemoryDeviceInfo]: objects with the text `type` */
};

/* @return NULL if @p value has that shape; else what it should have been, for a message */
const char *qmp_reader_check(enum qmp_shape shape, struct json_object *value);

/* @return the text; NULL if it is none, has a NUL in it or is longer than QMP_TEXT_MAX */
const char *qmp_reader_text(struct json_object *value);

/* Copies a text for a person, whatever is in it: cut, and cleaned as text_take() does. @return
 * false if it is none */
bool qmp_reader_words(struct json_object *value, char *buffer, size_t capacity);

/* @return true if it is a flag, and set */
bool qmp_reader_flag(struct json_object *value);

/* @return true if it is a whole number; one beyond the type's range is its end */
bool qmp_reader_number(struct json_object *value, int64_t *ret_number);

bool qmp_reader_is_object(struct json_object *value);

/* @return true if @p value is an object that has @p key; *ret_member may be NULL (null) */
bool qmp_reader_has(struct json_object *value, const char *key, struct json_object **ret_member);

#endif
