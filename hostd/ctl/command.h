/*
 * command: guestlinkctl's commands. Each returns guestlinkctl's exit status: 0, 1 (failed, said on
 * stderr), 2 (usage); exec returns the command's.
 *
 * Words are options->words behind the command itself; there are as many as the table says.
 */
#ifndef GUESTLINK_CTL_COMMAND_H
#define GUESTLINK_CTL_COMMAND_H

#include "base/json.h"
#include "options.h"
#include "say.h"

int command_list(const struct options *options, char **words);
int command_show(const struct options *options, char **words);
int command_capabilities(const struct options *options, char **words);
int command_cmdline(const struct options *options, char **words);
int command_share_add(const struct options *options, char **words);
int command_share_remove(const struct options *options, char **words);
int command_exec(const struct options *options, char **words);
int command_forward(const struct options *options, char **words);
int command_shutdown(const struct options *options, char **words);
int command_telemetry(const struct options *options, char **words);
int command_timeline(const struct options *options, char **words);
int command_metrics(const struct options *options, char **words);
int command_doctor(const struct options *options, char **words);
int command_new(const struct options *options, char **words);
int command_reload(const struct options *options, char **words);

/* Connects, calls a method, disconnects. @param params  consumed. @return 0 or 1 */
int command_call(const struct options *options, const char *method, struct json_object *params,
                 int timeout_ms, struct json_object **ret_params);

/* A member of an object, with "", 0, false where there is none. */
const char *command_text(struct json_object *object, const char *key);
uint64_t command_number(struct json_object *object, const char *key);
bool command_flag(struct json_object *object, const char *key);

/* Of a VM's state. */
enum say_colour command_state_colour(const char *state);

/* By its name or its UUID. @return NULL after saying on stderr that there is none */
const struct config_vm *command_find_vm(const struct config *config, const char *name);

/* {"vm": NAME} */
struct json_object *command_vm_params(const char *vm);

#endif
