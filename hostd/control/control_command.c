/* control command: what the client of Exec wants to run, read from the call's parameters. */
#include "control_command.h"

#include "control_params.h"

#include <stdlib.h>

typedef bool read_number_fn(struct varlink_call *call, struct json_object *params, const char *key,
                            uint32_t max, uint32_t *ret_number);

static bool read_size(struct varlink_call *call, struct json_object *params,
                      read_number_fn *read_number, struct exec_size *ret_size)
{
    uint32_t rows = 0, columns = 0;

    if (!read_number(call, params, "rows", UINT16_MAX, &rows) ||
        !read_number(call, params, "columns", UINT16_MAX, &columns))
        return false;
    *ret_size = (struct exec_size){.rows = (uint16_t)rows, .columns = (uint16_t)columns};
    return true;
}

bool control_command_read_size(struct varlink_call *call, struct json_object *params,
                               struct exec_size *ret_size)
{
    return read_size(call, params, control_params_number, ret_size);
}

bool control_command_read(struct varlink_call *call, struct json_object *params,
                          struct exec_command *ret_command)
{
    struct exec_command command = {0};

    if (!control_params_texts(call, params, "argv", &command.argv))
        return false;
    if (command.argv.count == 0) {
        control_command_done(&command);
        varlink_call_invalid(call, "argv");
        return false;
    }
    if (!control_params_texts(call, params, "environment", &command.environment) ||
        !control_params_optional_text(call, params, "directory", &command.directory) ||
        !control_params_optional_number(call, params, "uid", UINT32_MAX - 1, &command.uid) ||
        !control_params_optional_number(call, params, "gid", UINT32_MAX - 1, &command.gid) ||
        !control_params_optional_flag(call, params, "input", &command.input) ||
        !control_params_optional_flag(call, params, "terminal", &command.terminal) ||
        !read_size(call, params, control_params_optional_number, &command.size)) {
        control_command_done(&command);
        return false;
    }
    *ret_command = command;
    return true;
}

void control_command_done(struct exec_command *command)
{
    free(command->argv.items);
    free(command->environment.items);
}
