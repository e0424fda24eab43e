/*
 * exec params: what the daemon is asked to run, by Exec of io.guestlink.
 */
#ifndef GUESTLINK_CTL_EXEC_PARAMS_H
#define GUESTLINK_CTL_EXEC_PARAMS_H

#include "base/json.h"
#include "options.h"
#include "terminal.h"

/* What container runtimes say when the failure is their own. */
#define EXEC_PARAMS_FAILED 125

/*
 * The parameters for the VM and the command that @p words name; with -t, the kind and the size of
 * our terminal too.
 *
 * @return 0; or the exit status after saying on stderr what is wrong with the options
 */
int exec_params_make(const struct options *options, char **words, struct json_object **ret_params);

/* As Exec and ResizeTerminal have it. */
void exec_params_add_size(struct json_object *params, struct terminal_size size);

#endif
