/*
 * leftover: a device whose removal failed, for libvirt was away, say: nobody asks for that removal
 * again, so that it is begun anew when the domain is found again.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_LEFTOVER_H
#define GUESTLINK_HOSTD_DOMAIN_LEFTOVER_H

#include <stdbool.h>

struct device_domain;

/* Remembers one, once; without memory for that it stays in the domain until that ends. */
void domain_leftover_note(struct device_domain *domain, bool is_share, const char *name);

/* It is wanted again. */
void domain_leftover_drop(struct device_domain *domain, bool is_share, const char *name);

/* The domain has ended, and its devices with it; or the driver has. */
void domain_leftovers_drop(struct device_domain *domain);

/* Begins to remove them all a second later, if the domain is there. One that fails once more is
 * noted again. */
void domain_leftovers_remove(struct device_domain *domain);

#endif
