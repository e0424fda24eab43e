/*
 * config unique: by what a VM is known, which no two may share. (claims.h: what else.)
 */
#ifndef GUESTLINK_HOSTD_CONFIG_UNIQUE_H
#define GUESTLINK_HOSTD_CONFIG_UNIQUE_H

#include "reader.h"

/*
 * Tells every VM whose name, id or CID another one before it has too.
 *
 * @param vms  the list in the file, as long as config->vms
 */
void config_unique_check(struct config_reader *reader, const struct config_json *vms,
                         const struct config *config);

#endif
