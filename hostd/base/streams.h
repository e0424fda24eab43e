/*
 * streams: descriptors 0 to 2, which may be closed when a program is started.
 *
 * The next descriptors that a program opens take their numbers otherwise: a socket is then standard
 * output, and what the program prints goes to its peer.
 */
#ifndef GUESTLINK_HOSTD_STREAMS_H
#define GUESTLINK_HOSTD_STREAMS_H

/*
 * Opens those of 0, 1 and 2 that are closed. The first thing that main() does.
 *
 * They stay useless, and say so: they are /dev/null, 0 for writing and the others for reading
 * alone, so that whatever uses one gets EBADF as from a closed one, instead of losing its output.
 *
 * @return 0 or -errno
 */
int streams_open(void);

#endif
