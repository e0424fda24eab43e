/*
 * config network: one entry of a VM's "network", an adapter.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_NETWORK_H
#define GUESTLINK_HOSTD_CONFIG_NETWORK_H

#include "config_reader.h"

/* Reads one adapter into @p network, which is all zero and config_network_done()'s to free. */
void config_network_read(struct config_reader *reader, const struct config_json *node,
                         struct config_network *network);
void config_network_done(struct config_network *network);

#endif
