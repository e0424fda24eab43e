/* json: objects of json-c, built and read by type. */
#include "json.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct json_object *json_members(const char *key, ...)
{
    struct json_object *object = json_object_new_object();
    va_list list;

    va_start(list, key);
    for (; key; key = va_arg(list, const char *)) {
        struct json_object *value = va_arg(list, struct json_object *);

        if (!object || json_object_object_add(object, key, value) < 0)
            json_object_put(value);
    }
    va_end(list);
    return object;
}

struct json_object *json_texts(const char *key, ...)
{
    struct json_object *object = json_object_new_object();
    va_list list;

    va_start(list, key);
    for (; object && key; key = va_arg(list, const char *))
        (void)json_object_object_add(object, key,
                                     json_object_new_string(va_arg(list, const char *)));
    va_end(list);
    return object;
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
    if (object)
        (void)json_object_object_add(object, key, json_object_new_string(text ? text : ""));
}

void json_add_number(struct json_object *object, const char *key, uint64_t number)
{
    if (object)
        (void)json_object_object_add(object, key, json_object_new_uint64(number));
}

void json_add_flag(struct json_object *object, const char *key, json_bool flag)
{
    if (object)
        (void)json_object_object_add(object, key, json_object_new_boolean(flag));
}

struct json_object *json_member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    (void)json_object_object_get_ex(object, key, &value);
    return value;
}

size_t json_count(struct json_object *value)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
}

struct json_object *json_element(struct json_object *value, size_t index)
{
    return index < json_count(value) ? json_object_array_get_idx(value, index) : NULL;
}

const char *json_as_text(struct json_object *value, size_t max)
{
    size_t size;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    size = (size_t)json_object_get_string_len(value);
    if (size > max || memchr(json_object_get_string(value), '\0', size))
        return NULL;
    return json_object_get_string(value);
}

bool json_as_flag(struct json_object *value)
{
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

bool json_as_number(struct json_object *value, int64_t *ret_number)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    *ret_number = json_object_get_int64(value);
    return true;
}

struct json_object *json_parse_object(const char *text, size_t size, int depth)
{
    struct json_tokener *tokener = json_tokener_new_ex(depth);
    struct json_object *root;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* with the NUL, so that the parser knows the end */
    root = json_tokener_parse_ex(tokener, text, (int)size + 1);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        !json_object_is_type(root, json_type_object)) {
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}
