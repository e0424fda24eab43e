/*
 * loopback: the interface that programs expect everywhere.
 */
#ifndef GUESTLINK_INIT_LOOPBACK_H
#define GUESTLINK_INIT_LOOPBACK_H

/* Sets lo up. @return 0 or a negative errno */
int loopback_up(void);

#endif
