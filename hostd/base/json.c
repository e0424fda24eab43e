/* json: objects of json-c, built in one expression. */
#include "json.h"

#include <stdarg.h>
#include <stddef.h>

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
