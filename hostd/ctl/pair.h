/*
 * pair: a connection that was taken here, and the one to the guest through the daemon.
 */
#ifndef GUESTLINK_CTL_PAIR_H
#define GUESTLINK_CTL_PAIR_H

#include "client.h"

#include <poll.h>
#include <stdbool.h>

/* What it waits for. */
#define PAIR_POLLERS 4u

struct pair;

/* Asks the daemon; the answer comes by pair_turn(). @param fd  consumed. @return NULL, said why */
struct pair *pair_new(const char *socket, const char *vm, const char *to, int fd);
/* Closes both. @return NULL */
struct pair *pair_free(struct pair *pair);

/* @param ret_pollers  PAIR_POLLERS of them */
void pair_poll(const struct pair *pair, struct pollfd *ret_pollers);

/* Passes on what is there. @param pollers  as poll(2) left them
 * @return false: both ways have ended, or it broke, said why */
bool pair_turn(struct pair *pair, const struct pollfd *pollers);

#endif
