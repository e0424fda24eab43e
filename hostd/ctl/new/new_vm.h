/*
 * new vm: what hostd.json gets for a new VM.
 */
#ifndef GUESTLINK_CTL_NEW_VM_H
#define GUESTLINK_CTL_NEW_VM_H

#include "config/config.h"
#include "options.h"

#include <json-c/json.h>

/*
 * Makes a VM's object from the options of `guestlinkctl new`, with a unique UUID, CID and MAC
 * address.
 *
 * @param config  the configuration that it is added to
 * @return the caller's; NULL after saying on stderr what is wrong
 */
struct json_object *new_vm_make(const char *name, const struct options *options,
                                const struct config *config);

/*
 * Adds a VM to a configuration file's text; everything else in it stays, comments too.
 *
 * @param ret_text  the new text, for free()
 * @return 0; -EINVAL: no JSON, or without a list "vms"; -ENOMEM
 */
int new_vm_insert(const char *text, size_t size, struct json_object *vm, char **ret_text);

#endif
