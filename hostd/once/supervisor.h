/*
 * supervisor: the process beside `guestlink run` that has everything of a run as its children, and
 * leaves nothing of it behind, however `guestlink run` ends.
 *
 *   guestlink run ── lifeline ──▶ supervisor ──▶ guestlink-hostd ──▶ relay, virtiofsd
 *                 ◀── events ───             ──▶ QEMU
 *
 * It makes the guest's image if there is none, starts both, writes what they say into logs of
 * bounded size, and kills all of them when the lifeline ends: closed, or its holder killed. What
 * the daemon starts to outlive itself becomes the supervisor's child when the daemon ends
 * (PR_SET_CHILD_SUBREAPER). Should the supervisor be killed, the kernel kills the daemon and QEMU
 * (PR_SET_PDEATHSIG), and virtiofsd ends with QEMU.
 */
#ifndef GUESTLINK_ONCE_SUPERVISOR_H
#define GUESTLINK_ONCE_SUPERVISOR_H

#include "plan.h"

#include <stdbool.h>
#include <sys/types.h>

/* One byte each. All but the first mean that nothing more comes of this run. */
enum supervisor_event {
    SUPERVISOR_STARTED = 's', /* the daemon's control socket can be connected to */
    SUPERVISOR_FAILED = 'f',  /* it did not come to that; the reason was said on stderr */
    SUPERVISOR_NO_QEMU = 'q', /* QEMU ended */
    SUPERVISOR_NO_DAEMON = 'd',
    SUPERVISOR_TIMED_OUT = 't', /* request.timeout_ms after the start */
};

struct supervisor {
    pid_t pid;
    int lifeline, events; /* of events one byte can be read for each */
    bool over;            /* supervisor_wait() has told that QEMU or the daemon is gone */
};

/*
 * Starts it.
 *
 * @param plan    without its image, which the supervisor finds
 * @param folder  the descriptor of folder_make(); consumed
 * @return 0 or -errno; the folder is then removed
 */
int supervisor_start(struct plan *plan, int folder, struct supervisor *ret_supervisor);

/* Waits for the next event, at most @p timeout_ms (-1: as long as it takes).
 * @return the event; 0: none in time; SUPERVISOR_FAILED if the supervisor is gone */
int supervisor_wait(struct supervisor *supervisor, int timeout_ms);

/* Has everything ended and, unless the plan says to keep it, the folder removed; waits for that. */
void supervisor_end(struct supervisor *supervisor);

#endif
