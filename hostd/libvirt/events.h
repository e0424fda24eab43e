/*
 * events: what libvirt tells by itself of its domains, as lines for the daemon.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_EVENTS_H
#define GUESTLINK_HOSTD_LIBVIRT_EVENTS_H

#include <libvirt/libvirt.h>

/* Asks for them, of all domains. @return 0, or -1: libvirt's error says why */
int events_register(virConnectPtr connection);

#endif
