/*
 * handshake: a connection from its accept until its first frame is judged.
 */
#ifndef GUESTLINK_HOSTD_HANDSHAKE_H
#define GUESTLINK_HOSTD_HANDSHAKE_H

#include "guest/listener.h"
#include "vm/services.h"

struct handshake;
struct handshakes;
struct vm;

/* Those under way. @return NULL: no memory */
struct handshakes *handshakes_new(struct services *services);
/* Ends them all. @return NULL */
struct handshakes *handshakes_free(struct handshakes *handshakes);

/*
 * Begins one.
 *
 * @param fd    consumed, whatever happens
 * @param vm    whose connection it is, or NULL: nobody's, to be refused
 */
void handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer, struct vm *vm);

/* Ends those of a VM that goes. */
void handshakes_forget(struct handshakes *handshakes, const struct vm *vm);

#endif
