/*
 * signal watch: the signals that end a client, kept for the command that it runs in a guest.
 */
#ifndef GUESTLINK_HOSTD_SIGNAL_WATCH_H
#define GUESTLINK_HOSTD_SIGNAL_WATCH_H

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT. @return a signalfd(2) for them, to be closed by the
 * caller; or -1 */
int signal_watch(void);

#endif
