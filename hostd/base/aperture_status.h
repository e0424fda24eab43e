/*
 * aperture status: what a relay tells the daemon of its device's aperture, in a file.
 *
 * The file holds one line, the latest, and is replaced (rename(2)) when that changes: whoever
 * watches its folder sees IN_MOVED_TO with its name, and reads a whole line at any time. The
 * device's process has no way to it: it is root's and stands outside of that process's sandbox.
 *
 *     enforced BYTES          the kernel keeps the process out of all but BYTES of the memory
 *     narrowed BYTES REASON   it is told of BYTES only, but what it is handed holds the rest, too;
 *                             REASON says why, and what to do
 *     none REASON             there is no aperture: it reaches all
 *     refused REASON          there is no device: the relay ends; this line is its last
 *     waiting NUMBER          a driver wants to start the device, and the process has no memory
 *                             until the daemon confirms that the guest which reported the pool is
 *                             the one that runs
 *
 * The daemon confirms by a second file, FILE.ok, which holds that NUMBER. Another driver, another
 * NUMBER: what was true of the one before says nothing of it.
 *
 * BYTES is a decimal number. REASON is printable ASCII to the end of the line. There is no file
 * without a token, nor before the guest's memory was handed over for the first time. A guest can
 * make the line change only as often as its device's rings get more or less pages.
 */
#ifndef GUESTLINK_HOSTD_APERTURE_STATUS_H
#define GUESTLINK_HOSTD_APERTURE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/* A sentence that says what to do, with the NUL. */
#define APERTURE_REASON_SIZE 320u

enum aperture_state {
    APERTURE_NONE,
    APERTURE_NARROWED,
    APERTURE_ENFORCED,
    APERTURE_REFUSED,
    APERTURE_WAITING,
};

struct aperture_status {
    enum aperture_state state;
    uint64_t bytes; /* of the narrowed and the enforced; of the waiting its number */
    char reason[APERTURE_REASON_SIZE];
};

/* The word of a state, as it stands in the file. Static. */
const char *aperture_state_name(enum aperture_state state);

/* Replaces the file. @return 0 or -errno: the old line stands, if there was one */
int aperture_status_write(const char *path, const struct aperture_status *status);

/* @return 0; -ENOENT: there is none yet; -EBADMSG: it holds something else; -errno */
int aperture_status_read(const char *path, struct aperture_status *ret_status);

/* Answers the status at @p path, waiting with @p number. @return 0 or -errno */
int aperture_status_confirm(const char *path, uint64_t number);

/* True if that was answered. */
bool aperture_status_is_confirmed(const char *path, uint64_t number);

/* Removes both files. */
void aperture_status_remove(const char *path);

#endif
