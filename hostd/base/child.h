/*
 * child: a process that does work for the daemon, started without a shell and watched to its end.
 *
 * A process is watched through its pidfd, so one that an earlier daemon started is watched in the
 * same way as an own child; only its exit status cannot be had.
 */
#ifndef GUESTLINK_HOSTD_CHILD_H
#define GUESTLINK_HOSTD_CHILD_H

#include "jail.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CHILD_FDS_MAX 4u

/* Room for child_end_describe(). */
#define CHILD_END_SIZE 96u

struct child;

struct child_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is a path, nothing is searched */
    /* What the child finds as its file descriptors 0, 1, 2 and 3; -1: /dev/null for the first
     * three, closed for the fourth. All others are closed. Not consumed. */
    int fds[CHILD_FDS_MAX];
    const char *directory; /* the working directory; NULL: / */
    /* Not bound by the limits of the daemon's unit, where there is a way (launch.h). Its exit
     * status is then not known, and the gate not used. */
    bool outside;
    bool detached; /* its own session: no signal to the daemon's process group reaches it */
    /* A file in which the child notes who it is before it executes, for child_recall(); or NULL. */
    const char *record;
    /* A directory whose device nodes open nothing and whose set-user-ID programs are none, for the
     * child and what it starts, with all that is mounted below, in a new mount namespace; or
     * NULL. Left out where it takes a privilege (CAP_SYS_ADMIN) that the child has not: without it,
     * there is nothing to be gained from either. */
    const char *folder;
    bool read_only; /* the folder is; where that cannot be done the child does not start */
    /* Where it runs confined, or NULL. `directory` and `folder` are then the jail's, and if the
     * jail cannot be made the child does not start. */
    const struct jail *jail;
    /* Both ends of a pipe, or NULL: the child waits for a byte on it, or its end of file, before it
     * executes. Not consumed. */
    const int *gate;
};

/* How a process ended. */
struct child_end {
    bool known;       /* false: it was not ours to wait for */
    bool never_began; /* what was to start it (launch.h) did not */
    bool signaled;
    int status; /* the exit status, or the signal's number */
};

typedef void (*child_ended_fn)(void *userdata, const struct child_end *end);

/*
 * Starts a process and watches it: default signal handling, nothing blocked, the daemon's
 * environment without what systemd meant for the daemon alone. It never blocks: if the program
 * cannot be executed the child says so on its stderr and ends with the status 126 or 127.
 *
 * @param ended  called once, from the event loop; afterwards only child_free() makes sense
 * @return 0 or -errno
 */
int child_start(sd_event *event, const struct child_spec *spec, child_ended_fn ended,
                void *userdata, struct child **ret_child);

/*
 * Watches the process that wrote @p record, if it is still the same one.
 *
 * @return 0; -ESRCH if it is gone or there is no (whole) record; -errno
 */
int child_recall(sd_event *event, const char *record, child_ended_fn ended, void *userdata,
                 struct child **ret_child);

/* Stops watching; the process keeps running (see child_signal()). NULL is fine. @return NULL */
struct child *child_free(struct child *child);

/* Kills it (and its group, if detached), and waits for it in the background. NULL is fine.
 * @return NULL */
struct child *child_kill(struct child *child);

/* @return 0 for one that is outside, for which nothing is left to be done */
pid_t child_pid(const struct child *child);

/* Sends a signal to the process, and with @p group to all of its process group (only if it was
 * started detached). @return 0 or -errno; -ESRCH once it ended */
int child_signal(const struct child *child, int signal, bool group);

/* True, with the end, if the process has ended, told or not yet told. */
bool child_has_ended(struct child *child, struct child_end *ret_end);

/* "exit status 3", "killed by signal 9 (Killed)". @return @p buffer */
const char *child_end_describe(const struct child_end *end, char buffer[CHILD_END_SIZE]);

#endif
