/*
 * notify: what the daemon tells the service manager.
 */
#ifndef GUESTLINK_HOSTD_NOTIFY_H
#define GUESTLINK_HOSTD_NOTIFY_H

#include <stddef.h>

void notify_ready(size_t vms);
void notify_reloading(void);
void notify_stopping(void);

#endif
