/* fields: an event's own fields, put together without a check at each step. */
#include "fields.h"

#include <inttypes.h>
#include <stdio.h>

/* The keys are constants of ours: neither looked for nor copied. */
static void add(struct json_object *fields, const char *key, struct json_object *value)
{
    if (!fields || !value ||
        json_object_object_add_ex(fields, key, value,
                                  JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT) < 0)
        (void)json_object_put(value);
}

void fields_text(struct json_object *fields, const char *key, const char *value)
{
    add(fields, key, json_object_new_string(value));
}

void fields_number(struct json_object *fields, const char *key, uint64_t value)
{
    add(fields, key, json_object_new_uint64(value));
}

void fields_flag(struct json_object *fields, const char *key, bool value)
{
    add(fields, key, json_object_new_boolean(value));
}

void fields_address(struct json_object *fields, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
    fields_text(fields, key, text);
}
