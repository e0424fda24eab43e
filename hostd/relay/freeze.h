/*
 * freeze: stops all that the relay has started, so that nothing of it runs, and lets it go on.
 *
 * A process that was taken over may wake another one of its kind, start more, and end others, all
 * the time. Therefore one look is not enough: it is stopped when two looks, one after the other,
 * see the same threads, all stopped, none of which ran in between. At that moment nobody was left
 * who could wake anybody.
 */
#ifndef GUESTLINK_HOSTD_RELAY_FREEZE_H
#define GUESTLINK_HOSTD_RELAY_FREEZE_H

/* A thread stops when it is not waiting for a disk or a server; then within a millisecond or two.
 * QEMU waits meanwhile. */
#define FREEZE_PATIENCE_MS 1000

/* Processes below each other: virtiofsd has one or two. */
#define FREEZE_DEPTH_MAX 32u

/*
 * Stops every process below this one.
 *
 * @return 0: they are; -ETIMEDOUT: some do not stop, or that cannot be known: end them
 */
int freeze(void);

/* After freeze() was 0: has every process below this one go on. */
void thaw(void);

#endif
