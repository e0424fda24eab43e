/*
 * relay_backend: the process behind the relay, and those that take its place: of one that died, or
 * of one that was told of rings which are no more.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_BACKEND_H
#define GUESTLINK_HOSTD_RELAY_RELAY_BACKEND_H

#include "relay.h"

/*
 * A guest makes its rings where it wants, and a confined virtiofsd that has had others ends for
 * that (aperture.h): this often in so long a time, and no more often. A driver that is bound again
 * does it once, firmware and a kernel once more.
 */
#define RELAY_RENEWALS_MAX 20u
#define RELAY_RENEWALS_MS  60000

/*
 * One of a kind that revives is started again as soon as it ended, after a pause that grows while
 * each lives for a shorter time than is calm. QEMU waits for as long with whatever it has to say.
 */
#define RELAY_PAUSE_MS     100
#define RELAY_PAUSE_MAX_MS 3200
#define RELAY_CALM_MS      10000

/* Starts the process. @return 0 or -errno */
int relay_start_backend(struct relay *relay);

/*
 * Sets up another process as the first one was, for a frontend that is connected: one that serves,
 * soon, or one that answers errors.
 *
 * Whoever stops the unit that this runs in (systemd does when its first process ends) must not take
 * the latter away before the guest is done: neither it nor the relay heeds SIGTERM.
 */
void relay_begin_next(struct relay *relay);

/* The process ended: another one takes its place (relay_begin_next()), or the relay ends as it did,
 * for the daemon to see. */
void relay_replace(struct relay *relay);

/* Another process of the same kind, which has never had what the present one has. */
void relay_renew(struct relay *relay);

/* In how many ms one that revives is to be started; -1: it runs */
int relay_revival_timeout(const struct relay *relay);

/* Starts it. One that does not come up in turn is another that ended. */
void relay_revive(struct relay *relay);

/* Tells QEMU that its setting was made, by whom or when ever. */
void relay_acknowledge(struct relay *relay);

/* Tells QEMU where the ring stopped that it asks about. */
void relay_answer_base(struct relay *relay, uint32_t number);

/* Ends the process and the relay, with RELAY_EXIT_REFUSED. @param reason  for a person */
_Noreturn void relay_refuse(struct relay *relay, const char *reason);

#endif
