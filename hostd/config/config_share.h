/*
 * config share: one entry of a VM's "shares".
 */
#ifndef GUESTLINK_HOSTD_CONFIG_SHARE_H
#define GUESTLINK_HOSTD_CONFIG_SHARE_H

#include "config_reader.h"

/* Reads one share into @p share, which is all zero and config_share_done()'s to free. */
void config_share_read(struct config_reader *reader, const struct config_json *node,
                       struct config_share *share);
void config_share_done(struct config_share *share);

#endif
