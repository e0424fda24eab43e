/*
 * control params: typed parameters of a call. Each returns false after answering the call with
 * org.varlink.service.InvalidParameter; the call is then gone.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_PARAMS_H
#define GUESTLINK_HOSTD_CONTROL_PARAMS_H

#include "config/config.h"
#include "varlink/varlink.h"

/* @param ret_text  points into @p params */
bool control_params_text(struct varlink_call *call, struct json_object *params, const char *key,
                         const char **ret_text);

/* As above, of parameters that may be missing or null: the output then stays as it is. */
bool control_params_optional_text(struct varlink_call *call, struct json_object *params,
                                  const char *key, const char **ret_text);
bool control_params_optional_flag(struct varlink_call *call, struct json_object *params,
                                  const char *key, bool *ret_flag);
bool control_params_optional_number(struct varlink_call *call, struct json_object *params,
                                    const char *key, uint32_t max, uint32_t *ret_number);

bool control_params_number(struct varlink_call *call, struct json_object *params, const char *key,
                           uint32_t max, uint32_t *ret_number);

/*
 * A list of texts that may be missing.
 *
 * @param ret_texts  empty; the items point into @p params, the list itself is free()d by the caller
 */
bool control_params_texts(struct varlink_call *call, struct json_object *params, const char *key,
                          struct config_strings *ret_texts);

#endif
