/* command: what several commands need. */
#include "command.h"

#include "client.h"
#include "say.h"

#include <string.h>

int command_call(const struct options *options, const char *method, struct json_object *params,
                 int timeout_ms, struct json_object **ret_params)
{
    struct client *client = NULL;
    int status = client_new(options->socket, &client);

    if (status == 0)
        status = client_call(client, method, params, timeout_ms, ret_params);
    else
        json_object_put(params);
    (void)client_free(client);
    return status;
}

const char *command_text(struct json_object *object, const char *key)
{
    struct json_object *value = json_member(object, key);

    return value != NULL ? json_object_get_string(value) : "";
}

uint64_t command_number(struct json_object *object, const char *key)
{
    return json_object_get_uint64(json_member(object, key));
}

bool command_flag(struct json_object *object, const char *key)
{
    return json_object_get_boolean(json_member(object, key));
}

enum say_colour command_state_colour(const char *state)
{
    if (strcmp(state, "ready") == 0)
        return SAY_GREEN;
    if (strcmp(state, "lost") == 0)
        return SAY_RED;
    if (strcmp(state, "connected") == 0 || strcmp(state, "shutting-down") == 0)
        return SAY_YELLOW;
    return SAY_DIM;
}

const struct config_vm *command_find_vm(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->vm_count; i++)
        if (strcmp(config->vms[i].name, name) == 0 || strcasecmp(config->vms[i].id, name) == 0)
            return &config->vms[i];
    say_error("%s: no VM is called \"%s\"", config->file, name);
    return NULL;
}

struct json_object *command_vm_params(const char *vm)
{
    return json_texts("vm", vm, NULL);
}
