/*
 * keeper: the process that knows all that the relay knows, and takes its place if it is killed.
 *
 * It is the relay's parent and the one that the daemon watches. It hears the relay's journal.
 */
#ifndef GUESTLINK_HOSTD_RELAY_KEEPER_H
#define GUESTLINK_HOSTD_RELAY_KEEPER_H

#include "journal.h"
#include "kind.h"

enum keeper_role {
    KEEPER_RELAY,     /* the new process, whose journal is heard */
    KEEPER_SUCCESSOR, /* yet another one: the relay was killed while QEMU was connected, and
                       * the device's process with it; its journal is what the relay's was */
};

/*
 * Makes this process the keeper of a new one. Returns in those that enum keeper_role names; the
 * keeper itself ends as the device's process or the relay does, or, of a kind that revives, when
 * QEMU is gone: a successor has the same keeper.
 *
 * @param end_file  for end_as()
 * @return one of enum keeper_role, or -errno
 */
int keeper_split(struct journal *journal, const struct kind *kind, const char *end_file);

#endif
