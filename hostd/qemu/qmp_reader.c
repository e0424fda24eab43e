/* qmp reader: what QEMU says, read by type. */
#include "qmp_reader.h"

#include "base/json.h"

#include <string.h>

const char *qmp_reader_text(struct json_object *value)
{
    return json_as_text(value, QMP_TEXT_MAX);
}

bool qmp_reader_words(struct json_object *value, char *buffer, size_t capacity)
{
    return json_as_words(value, buffer, capacity);
}

bool qmp_reader_flag(struct json_object *value)
{
    return json_as_flag(value);
}

bool qmp_reader_number(struct json_object *value, int64_t *ret_number)
{
    return json_as_number(value, ret_number);
}

bool qmp_reader_is_object(struct json_object *value)
{
    return json_is_object(value);
}

bool qmp_reader_has(struct json_object *value, const char *key, struct json_object **ret_member)
{
    return qmp_reader_is_object(value) && json_object_object_get_ex(value, key, ret_member);
}

static bool is_property(struct json_object *value)
{
    return qmp_reader_text(json_member(value, "name")) &&
           qmp_reader_text(json_member(value, "type"));
}

static bool is_memory(struct json_object *value)
{
    return json_object_is_type(json_member(value, "share"), json_type_boolean);
}

static bool is_memory_device(struct json_object *value)
{
    return qmp_reader_text(json_member(value, "type")) != NULL;
}

static bool is_array_of(struct json_object *value, bool (*is_right)(struct json_object *element))
{
    bool right = json_object_is_type(value, json_type_array);

    for (size_t i = 0; right && i < json_count(value); i++)
        right = is_right(json_element(value, i));
    return right;
}

const char *qmp_reader_check(enum qmp_shape shape, struct json_object *value)
{
    switch (shape) {
    case QMP_SHAPE_OBJECT:
        return qmp_reader_is_object(value) ? NULL : "an object";
    case QMP_SHAPE_TEXT:
        return qmp_reader_text(value) ? NULL : "a string";
    case QMP_SHAPE_FLAG:
        return json_object_is_type(value, json_type_boolean) ? NULL : "true or false";
    case QMP_SHAPE_PROPERTIES:
        return is_array_of(value, is_property) ? NULL : "a list of objects with name and type";
    case QMP_SHAPE_MEMORIES:
        return is_array_of(value, is_memory) ? NULL : "a list of objects with share";
    case QMP_SHAPE_MEMORY_DEVICES:
        return is_array_of(value, is_memory_device) ? NULL : "a list of objects with type";
    }
    return "nothing";
}
