/*
 * control method: the methods of io.guestlink that are about one VM and take no stream.
 *
 * All are varlink_method_fn's whose userdata is a struct fleet.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_METHOD_H
#define GUESTLINK_HOSTD_CONTROL_METHOD_H

#include "fleet.h"
#include "varlink/varlink.h"

void control_method_show(void *userdata, struct varlink_call *call, struct json_object *params);
void control_method_capabilities(void *userdata, struct varlink_call *call,
                                 struct json_object *params);
void control_method_command_line(void *userdata, struct varlink_call *call,
                                 struct json_object *params);
void control_method_pool_usage(void *userdata, struct varlink_call *call,
                               struct json_object *params);
void control_method_add_share(void *userdata, struct varlink_call *call,
                              struct json_object *params);
void control_method_remove_share(void *userdata, struct varlink_call *call,
                                 struct json_object *params);
void control_method_shut_down(void *userdata, struct varlink_call *call,
                              struct json_object *params);

/* The VM that `vm` names, or NULL: the call is answered and gone. */
struct vm *control_method_find_vm(struct fleet *fleet, struct varlink_call *call,
                                  struct json_object *params);

/* Answers with io.guestlink.Failed. @param error  a positive errno */
void control_method_fail(struct varlink_call *call, int error, const char *reason);

/* Answers with what a vm_…() call that returned @p r < 0 means. */
void control_method_fail_vm(struct varlink_call *call, const struct vm *vm, int r);

/* Answers with io.guestlink.<error> ({key: value}). */
void control_method_fail_text(struct varlink_call *call, const char *error, const char *key,
                              const char *value);

#endif
