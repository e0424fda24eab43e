/*
 * config claims: sockets, files, host interfaces, published ports and MAC addresses, of which each
 * has one owner, whatever keys name it.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_CLAIMS_H
#define GUESTLINK_HOSTD_CONFIG_CLAIMS_H

#include "reader.h"

/*
 * Tells what two keys of the file name both, paths normalised: an error; a MAC address of two VMs
 * is a warning unless both are on networks of the host's. A VM's socket may be in `listen`.
 */
void config_claims_check(struct config_reader *reader, const struct config_json *root,
                         const struct config *config);

#endif
