/*
 * control command: what the client of Exec wants to run, read from the call's parameters.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_COMMAND_H
#define GUESTLINK_HOSTD_CONTROL_COMMAND_H

#include "varlink/varlink.h"
#include "vm/exec.h"

#include <stdbool.h>

/*
 * @param ret_command  borrows the texts of @p params; its lists are freed by control_command_done()
 * @return false: the call is answered and gone
 */
bool control_command_read(struct varlink_call *call, struct json_object *params,
                          struct exec_command *ret_command);

/* Reads `rows` and `columns`, both required. @return false: the call is answered and gone */
bool control_command_read_size(struct varlink_call *call, struct json_object *params,
                               struct exec_size *ret_size);

void control_command_done(struct exec_command *command);

#endif
