/*
 * control exec: the methods Exec, WriteInput, SendSignal and ResizeTerminal of io.guestlink.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_EXEC_H
#define GUESTLINK_HOSTD_CONTROL_EXEC_H

#include "fleet.h"
#include "varlink/varlink.h"

/* The commands that run for clients, by number. */
struct control_execs;

/* @return NULL: no memory */
struct control_execs *control_execs_new(struct fleet *fleet);
/* Every command must have ended or lost its client by now. @return NULL */
struct control_execs *control_execs_free(struct control_execs *execs);

void control_exec_run(struct control_execs *execs, struct varlink_call *call,
                      struct json_object *params);
void control_exec_write_input(struct control_execs *execs, struct varlink_call *call,
                              struct json_object *params);
void control_exec_send_signal(struct control_execs *execs, struct varlink_call *call,
                              struct json_object *params);
void control_exec_resize_terminal(struct control_execs *execs, struct varlink_call *call,
                                  struct json_object *params);

#endif
