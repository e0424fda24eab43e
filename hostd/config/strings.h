/*
 * config strings: what every owner of a struct config_strings needs.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_STRINGS_H
#define GUESTLINK_HOSTD_CONFIG_STRINGS_H

#include "config.h"

void config_strings_done(struct config_strings *strings);
bool config_strings_equal(const struct config_strings *a, const struct config_strings *b);

/* True if both are NULL or both say the same. */
bool config_text_equal(const char *a, const char *b);

/* Appends a copy. @return 0 or -ENOMEM */
int config_strings_add(struct config_strings *strings, const char *text);

#endif
