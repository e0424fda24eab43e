/*
 * control view: what the control socket shows of VMs, as JSON.
 *
 * Every function returns an object of the caller's.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_VIEW_H
#define GUESTLINK_HOSTD_CONTROL_VIEW_H

#include "vm/vm.h"

#include <json-c/json.h>

struct json_object *control_view_summary(const struct vm *vm);
struct json_object *control_view_vm(const struct vm *vm);
struct json_object *control_view_capabilities(const struct guest_capabilities *capabilities);
struct json_object *control_view_pools(const struct event_pool_usage *usage);

#endif
