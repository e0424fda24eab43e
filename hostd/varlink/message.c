/* varlink message: calls read, replies made. */
#include "message.h"

#include "base/json.h"

#include <string.h>

/* No parameter of ours is deeper than a list in an object in the call. */
#define DEPTH 16

/* A member of the root that must be a boolean if it is there. */
static bool get_flag(struct json_object *root, const char *key, bool *ret_flag)
{
    struct json_object *value;

    if (!json_object_object_get_ex(root, key, &value)) {
        *ret_flag = false;
        return true;
    }
    *ret_flag = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean);
}

int varlink_message_parse(const char *text, size_t size, struct varlink_message *ret_message)
{
    struct varlink_message message = VARLINK_MESSAGE_NULL;
    struct json_object *method = NULL;

    if (size > VARLINK_MESSAGE_BYTES || strlen(text) != size)
        return VARLINK_MESSAGE_E_MALFORMED;
    message.root = json_parse_object(text, size, DEPTH);
    if (message.root == NULL)
        return VARLINK_MESSAGE_E_MALFORMED;
    (void)json_object_object_get_ex(message.root, "method", &method);
    (void)json_object_object_get_ex(message.root, "parameters", &message.parameters);
    if (!json_object_is_type(method, json_type_string) ||
        (message.parameters != NULL &&
         !json_object_is_type(message.parameters, json_type_object)) ||
        !get_flag(message.root, "more", &message.more) ||
        !get_flag(message.root, "oneway", &message.oneway) ||
        !get_flag(message.root, "upgrade", &message.upgrade)) {
        varlink_message_done(&message);
        return VARLINK_MESSAGE_E_MALFORMED;
    }
    message.method = json_object_get_string(method);
    *ret_message = message;
    return 0;
}

void varlink_message_done(struct varlink_message *message)
{
    json_object_put(message->root);
    *message = VARLINK_MESSAGE_NULL;
}

struct json_object *varlink_message_reply(const char *error, struct json_object *parameters,
                                          bool continues)
{
    struct json_object *reply = json_object_new_object();

    if (reply == NULL)
        return NULL;
    if (error != NULL)
        json_add_text(reply, "error", error);
    json_object_object_add(reply, "parameters",
                           parameters != NULL ? json_object_get(parameters)
                                              : json_object_new_object());
    if (continues)
        json_add_flag(reply, "continues", true);
    return reply;
}
