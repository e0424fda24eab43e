/*
 * resolv: /etc/resolv.conf, made of what every interface brought.
 */
#ifndef GUESTLINK_INIT_RESOLV_H
#define GUESTLINK_INIT_RESOLV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "protocol/wire.h"

struct resolv {
    const char *interface;
    uint32_t metric;      /* the interface's: the least comes first */
    struct wire_list dns; /* addresses; an empty list takes the interface's away */
    bool is_private;      /* leave /etc/resolv.conf alone */
    bool
        is_distributions; /* a distribution runs here: a file that a link leads to may be its own */
};

/*
 * Sets the name servers of one interface, forgets those of interfaces that are gone, and writes
 * /run/guestlink/resolv.conf and /etc/resolv.conf again from those of all. For jobs, side by side.
 * Nothing is touched if no interface ever brought a server.
 *
 * /etc/resolv.conf that is a link is followed where it leads below /run, though nothing may be
 * there yet, and left alone where it leads elsewhere. Where /etc is read-only, the file below /run
 * is mounted over the one there.
 *
 * @param report  an address that is none is an error; what keeps /etc/resolv.conf as it is, is a
 *                remark: text behind whatever stands there, and no error
 */
void resolv_set(const struct resolv *resolv, struct report *report);

#endif
