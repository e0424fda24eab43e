/*
 * resolv: /etc/resolv.conf, made of what every interface brought.
 */
#ifndef GUESTLINK_INIT_RESOLV_H
#define GUESTLINK_INIT_RESOLV_H

#include "base/report.h"
#include "protocol/wire.h"

/*
 * Sets the name servers of one interface, and writes /etc/resolv.conf anew from those of all. For
 * jobs, side by side. Where /etc is read-only, /run/guestlink/resolv.conf is mounted over the file.
 * Nothing is touched if no interface ever brought a server.
 *
 * @param dns  addresses; an empty list takes the interface's away
 * @return 0, or a positive errno with the reason in @p report
 */
int resolv_set(const char *interface, struct wire_list dns, struct report *report);

#endif
