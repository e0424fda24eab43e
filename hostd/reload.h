/*
 * reload: the configuration file read again, and everything brought in line with it.
 */
#ifndef GUESTLINK_HOSTD_RELOAD_H
#define GUESTLINK_HOSTD_RELOAD_H

#include "config/settings.h"
#include "doors.h"
#include "handshake.h"
#include "registry.h"
#include "vm/services.h"

struct reload {
    struct services *services;
    struct settings **settings; /* replaced on success */
    struct registry *registry;
    struct handshakes *handshakes;
    struct doors *doors;
    config_remark_fn on_remark; /* besides the log; may be NULL */
    void *userdata;
};

/*
 * A VM is the same if its UUID is. Equal ones are not touched; one whose name, CID, socket or
 * device host changed goes and comes anew; of any other, only what changed is changed.
 *
 * @return 0; 1: the file is wrong, and nothing changed; or -errno, likewise
 */
int reload_run(struct reload *reload);

#endif
