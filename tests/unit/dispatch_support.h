/*
 * dispatch_support: a guest whose host sends request 77, and hears what it is answered.
 */
#ifndef GUESTLINK_TESTS_DISPATCH_SUPPORT_H
#define GUESTLINK_TESTS_DISPATCH_SUPPORT_H

#include "init/guest.h"

#include <stdbool.h>
#include <stdint.h>

extern struct guest dispatch_guest;
extern int dispatch_host;                  /* the host's end of its link */
extern struct wire_writer dispatch_writer; /* pack the next request's payload into this */

/* For cmocka: a guest whose link is up, and its end. */
int dispatch_set_up(void **state);
int dispatch_tear_down(void **state);

/* Sends what was packed as request 77. */
void dispatch_send(uint16_t type);

/* True if the guest has sent nothing more. */
bool dispatch_is_quiet(void);

/* Takes the one RESULT of request 77, which is all that was sent. @return its error */
int dispatch_answer(void);

#endif
