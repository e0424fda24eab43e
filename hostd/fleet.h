/*
 * fleet: the VMs of the daemon, with what is lent to each and the configuration they come from;
 * what the control socket and the metrics show to people.
 */
#ifndef GUESTLINK_HOSTD_FLEET_H
#define GUESTLINK_HOSTD_FLEET_H

#include "config/settings.h"
#include "registry.h"
#include "vm/services.h"
#include "vm/vm.h"

struct fleet {
    struct services services;
    struct settings *settings;
    struct registry *registry; /* of it: in the order of the configuration file */
};

/* @param name  a VM's name, or its UUID in lower case. @return NULL if there is no such VM */
struct vm *fleet_find_vm(const struct fleet *fleet, const char *name);

#endif
