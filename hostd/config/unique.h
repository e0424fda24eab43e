/*
 * config unique: what no two VMs may share.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_UNIQUE_H
#define GUESTLINK_HOSTD_CONFIG_UNIQUE_H

#include "reader.h"

/*
 * Tells every VM whose name, id, CID, socket or QMP socket another one before it has too.
 *
 * @param vms  the list in the file, as long as config->vms
 */
void config_unique_check(struct config_reader *reader, const struct config_json *vms,
                         const struct config *config);

#endif
