/*
 * launch: starts a program outside the daemon's own unit, through guestlink-launch (launch/main.c).
 *
 * What serves a share writes wherever the operator's shares are, takes other users' identities and
 * makes namespaces; nothing of that is the daemon's to do, and a process cannot shed the limits of
 * the one that forked it. So systemd starts it: a connection to the socket LAUNCH_VARIABLE names
 * becomes a separate process, in its own unit, and gets its program in a request. It keeps running
 * when the daemon's unit is stopped.
 *
 *   daemon -> program   LAUNCH_FIELDS texts and argv, each ended by a NUL, in one message, with
 *                       the file descriptors that the first text numbers
 *   program -> daemon   its pid (i32 of the machine), with its pidfd
 *   daemon -> program   one byte: go on. The end of the connection instead: do not
 */
#ifndef GUESTLINK_HOSTD_LAUNCH_H
#define GUESTLINK_HOSTD_LAUNCH_H

#include "child.h"

/* In the daemon's environment: the path of a Unix socket (SOCK_SEQPACKET). The unit sets it. */
#define LAUNCH_VARIABLE "GUESTLINK_LAUNCH"

/* Two or three paths and the options of a program. */
#define LAUNCH_MESSAGE_SIZE 32768u

/* More words than any program of ours is started with. */
#define LAUNCH_WORDS 64u

/* In this order, before argv; "" where there is none. */
enum launch_field {
    LAUNCH_FDS, /* a digit for each descriptor that comes along: what number it gets */
    LAUNCH_DIRECTORY,
    LAUNCH_RECORD,
    LAUNCH_FOLDER,
    LAUNCH_READ_ONLY, /* "1" or "" */
    LAUNCH_DETACHED,  /* likewise */
    LAUNCH_JAIL, /* struct jail's folder; "": no jail, and the other fields of it are "", too */
    LAUNCH_JAIL_PLACE,
    LAUNCH_JAIL_NUMBERS, /* capabilities, memory, files, flags: hexadecimal */
    LAUNCH_JAIL_LIBRARY, /* or "" */
    LAUNCH_JAIL_CALLS,
    LAUNCH_FIELDS,
};

/* Room for launch_jail_numbers(): four numbers of 16 digits, a blank or the NUL behind each. */
#define LAUNCH_NUMBERS_SIZE 68u

/* Writes LAUNCH_JAIL_NUMBERS, and reads it. @return 0, or -EINVAL: that is not what it looks like
 */
void launch_jail_pack(const struct jail *jail, char buffer[LAUNCH_NUMBERS_SIZE]);
int launch_jail_unpack(const char *numbers, struct jail *jail);

/* True if the environment names a socket for this. */
bool launch_is_wanted(void);

/*
 * Asks for a process. Does not wait for it.
 *
 * @param spec  its gate is not used: the process waits for launch_finish() anyway
 * @return the connection (not blocking), owned by the caller; or -errno
 */
int launch_ask(const struct child_spec *spec);

/*
 * Takes the answer, when the connection is readable, and lets the process go on.
 *
 * @param ret_pidfd  owned by the caller
 * @return 0, or -errno: there is no such process
 */
int launch_finish(int connection, pid_t *ret_pid, int *ret_pidfd);

#endif
