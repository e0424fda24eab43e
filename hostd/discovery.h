/*
 * discovery: the VMs that are not in hostd.json, but in the metadata of libvirt's domains.
 *
 * A domain whose element is wrong keeps the VM of its last right one. While libvirt cannot be
 * reached, those that were found stay.
 */
#ifndef GUESTLINK_HOSTD_DISCOVERY_H
#define GUESTLINK_HOSTD_DISCOVERY_H

#include "config/config.h"

#include <systemd/sd-event.h>

/* Domains that are taken; the rest is left out. */
#define DISCOVERY_MAX 4096u

struct discovery;

/* Other domains than before, or other elements: the configuration is to be read again. */
typedef void (*discovery_changed_fn)(void *userdata);

/* @param changed  called from the event loop. @return 0 or -errno */
int discovery_new(sd_event *event, discovery_changed_fn changed, void *userdata,
                  struct discovery **ret_discovery);
/* NULL is fine. @return NULL */
struct discovery *discovery_free(struct discovery *discovery);

/*
 * Looks where @p config says, from now on: at another URI than before, or nowhere. Nothing is
 * found there yet.
 *
 * @return 0 or -errno
 */
int discovery_follow(struct discovery *discovery, const struct config *config);

/* Adds the VMs that were found to @p config. Tells what is wrong with an element (on_error), once
 * for each. */
void discovery_add(struct discovery *discovery, struct config *config, config_remark_fn on_error,
                   void *userdata);

#endif
