/*
 * reload: the configuration file read again, and everything brought in line with it.
 */
#ifndef GUESTLINK_HOSTD_RELOAD_H
#define GUESTLINK_HOSTD_RELOAD_H

#include "discovery.h"
#include "doors.h"
#include "fleet.h"
#include "handshake.h"

struct reload {
    struct fleet *fleet; /* its settings are replaced on success */
    struct handshakes *handshakes;
    struct doors *doors;
    struct discovery *discovery; /* NULL: there are no VMs but those of the file */
    /* Told in addition to the log, of each error only if it refuses the file; may be NULL. */
    config_remark_fn on_warning, on_error;
    void *userdata;
};

/*
 * A VM is the same if its UUID is. Equal ones are not touched; one whose name, CID, socket or
 * device host changed goes and comes again; of any other, only what changed is changed.
 *
 * @return 0; 1: the file is wrong, and nothing changed; or -errno, likewise
 */
int reload_run(struct reload *reload);

#endif
