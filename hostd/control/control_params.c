/* control params: what a client sent, checked for its type. */
#include "control_params.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* @return the text; NULL if it is none, or holds a NUL */
static const char *text_of(struct json_object *value)
{
    const char *text;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

bool control_params_optional_text(struct varlink_call *call, struct json_object *params,
                                  const char *key, const char **ret_text)
{
    struct json_object *value = json_member(params, key);
    const char *text = text_of(value);

    if (value != NULL && text == NULL) {
        varlink_call_invalid(call, key);
        return false;
    }
    if (text != NULL)
        *ret_text = text;
    return true;
}

bool control_params_text(struct varlink_call *call, struct json_object *params, const char *key,
                         const char **ret_text)
{
    if (json_member(params, key) == NULL) {
        varlink_call_invalid(call, key);
        return false;
    }
    return control_params_optional_text(call, params, key, ret_text);
}

bool control_params_optional_flag(struct varlink_call *call, struct json_object *params,
                                  const char *key, bool *ret_flag)
{
    struct json_object *value = json_member(params, key);

    if (value == NULL)
        return true;
    if (!json_object_is_type(value, json_type_boolean)) {
        varlink_call_invalid(call, key);
        return false;
    }
    *ret_flag = json_object_get_boolean(value);
    return true;
}

bool control_params_optional_number(struct varlink_call *call, struct json_object *params,
                                    const char *key, uint32_t max, uint32_t *ret_number)
{
    struct json_object *value = json_member(params, key);

    if (value == NULL)
        return true;
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
        json_object_get_int64(value) > max) {
        varlink_call_invalid(call, key);
        return false;
    }
    *ret_number = (uint32_t)json_object_get_int64(value);
    return true;
}

bool control_params_number(struct varlink_call *call, struct json_object *params, const char *key,
                           uint32_t max, uint32_t *ret_number)
{
    if (json_member(params, key) == NULL) {
        varlink_call_invalid(call, key);
        return false;
    }
    return control_params_optional_number(call, params, key, max, ret_number);
}

bool control_params_texts(struct varlink_call *call, struct json_object *params, const char *key,
                          struct config_strings *ret_texts)
{
    struct json_object *value = json_member(params, key);
    char **items = NULL;
    size_t count = 0;

    if (value == NULL)
        return true;
    if (json_object_is_type(value, json_type_array)) {
        count = json_count(value);
        items = calloc(count + 1, sizeof(*items));
    }
    for (size_t i = 0; items != NULL && i < count; i++) {
        /* read alone: struct config_strings has no const form */
        items[i] = (char *)(uintptr_t)text_of(json_element(value, i));
        if (items[i] == NULL) {
            free(items);
            items = NULL;
        }
    }
    if (items == NULL) {
        varlink_call_invalid(call, key);
        return false;
    }
    *ret_texts = (struct config_strings){items, count};
    return true;
}
