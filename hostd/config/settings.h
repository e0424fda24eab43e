/*
 * settings: a configuration that several hold at once. After a reload, what did not change goes on
 * with the configuration that it began with; the last to let go frees it.
 */
#ifndef GUESTLINK_HOSTD_SETTINGS_H
#define GUESTLINK_HOSTD_SETTINGS_H

#include "config.h"

struct settings {
    struct config *config;
    unsigned references;
};

/* @param config  consumed, whatever happens. @return NULL: no memory */
struct settings *settings_new(struct config *config);
/* @return @p settings, held once more */
struct settings *settings_ref(struct settings *settings);
/* Lets go. @return NULL */
struct settings *settings_unref(struct settings *settings);

#endif
