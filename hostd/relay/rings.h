/*
 * rings: which vrings a session sets up, and where they are, in QEMU's addresses. Split ones:
 * packed ones are not offered to a device with an aperture (filter.h).
 */
#ifndef GUESTLINK_HOSTD_RELAY_RINGS_H
#define GUESTLINK_HOSTD_RELAY_RINGS_H

#include "session.h"

/* More than this do not get the regions that they need of the eight that there are. */
#define RINGS_MAX 16u

/* Descriptors, available ring, used ring. */
#define RING_PARTS 3u

/* Of split rings (virtio 1.2, 2.7). */
#define RING_ENTRIES_MAX 32768u

struct ring {
    uint64_t key;      /* its index */
    uint64_t sequence; /* of its addresses */
    struct ring_part {
        uint64_t address, size;
    } parts[RING_PARTS];
    /* Stopped, or told a new size and not yet where: the process has it, and does not use it. */
    bool is_stopped;
};

struct rings {
    struct ring items[RINGS_MAX];
    size_t count;
};

/*
 * Reads them out of a session.
 *
 * @return 0; -E2BIG: more than RINGS_MAX; -EINVAL: one has addresses and no size
 */
int rings_read(const struct session *session, struct rings *ret_rings);

/* True if one of them has a place and was not stopped since. */
bool rings_are_running(const struct session *session);

#endif
