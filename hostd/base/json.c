/* json: objects of json-c, built and read by type. */
#include "json.h"

#include "text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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

bool json_is_object(struct json_object *value)
{
    return json_object_is_type(value, json_type_object);
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

bool json_as_words(struct json_object *value, char *buffer, size_t capacity)
{
    if (!json_object_is_type(value, json_type_string))
        return false;
    text_take((struct wire_text){.data = json_object_get_string(value),
                                 .size = (size_t)json_object_get_string_len(value)},
              buffer, capacity);
    return true;
}

static bool is_ascii(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] > 0x7f)
            return false;
    return true;
}

/* Appends "\u00e9", or a surrogate pair. @return the end */
static char *put_escape(char *out, uint32_t character)
{
    if (character > 0xffff) {
        character -= 0x10000;
        out += sprintf(out, "\\u%04x", (unsigned)(0xd800 | character >> 10));
        character = 0xdc00 | (character & 0x3ff);
    }
    return out + sprintf(out, "\\u%04x", (unsigned)character);
}

/* The same document in ASCII alone: json-c 0.17 and 0.18 take a byte above 0x7f for a control
 * character when they are strict. @return the caller's; NULL: it is not UTF-8, a backslash escapes
 * a character beyond ASCII, or there is no memory */
static char *escape(const char *text, size_t size, size_t *ret_size)
{
    /* Two bytes become six, four become twelve. */
    char *copy = malloc(3 * size + 1), *out = copy; /* sprintf() ends it */
    bool escaping = false, good = copy != NULL;
    size_t taken;

    for (size_t i = 0; good && i < size; i += taken) {
        taken = 1;
        if ((unsigned char)text[i] > 0x7f) {
            taken = wire_character_size((struct wire_text){text + i, size - i});
            good = taken > 0 && !escaping;
            if (good)
                out = put_escape(out, text_decode(text + i, taken));
        } else {
            *out++ = text[i];
            escaping = text[i] == '\\' && !escaping;
        }
    }
    if (!good) {
        free(copy);
        return NULL;
    }
    *ret_size = (size_t)(out - copy);
    return copy;
}

/* @param text  ASCII */
static struct json_object *parse(const char *text, size_t size, int depth)
{
    struct json_tokener *tokener = json_tokener_new_ex(depth);
    struct json_object *root;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    root = json_tokener_parse_ex(tokener, text, (int)size);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        !json_object_is_type(root, json_type_object)) {
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}

struct json_object *json_parse_object(const char *text, size_t size, int depth)
{
    struct json_object *root = NULL;
    char *copy;

    if (is_ascii(text, size))
        return parse(text, size, depth);
    copy = escape(text, size, &size);
    if (copy)
        root = parse(copy, size, depth);
    free(copy);
    return root;
}
