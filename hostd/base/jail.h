/*
 * jail: where a program runs that somebody hostile talks to, and that is root in name.
 *
 * A mount namespace whose root holds the program, its libraries (read-only), /dev/null and one
 * folder, and nothing else: no procfs, and the old root is detached. Its own process, IPC, UTS,
 * cgroup and network namespaces; the last has no interface, unless the spec says otherwise. Only
 * the capabilities and system calls that the spec names. Names that the program is asked for are
 * not looked at: there is nothing else to reach.
 *
 * What a jail holds no matter what the spec names: devices are neither made nor opened, threads
 * are started but no processes, nothing but the program and its libraries is executed, the
 * environment is empty, and limits (RLIMIT_*) stay as they are; a program that sets its own is
 * answered that it did.
 */
#ifndef GUESTLINK_HOSTD_JAIL_H
#define GUESTLINK_HOSTD_JAIL_H

#include <stdbool.h>
#include <stdint.h>

/* So long a program may take to end after its connection has (struct jail): it writes what it was
 * given. One that waits for something then, a pipe's other end, would wait forever. */
#define JAIL_LINGER_MS 10000

#define JAIL_CAPABILITY(number) (UINT64_C(1) << (number))

struct jail {
    /* The host's directory that the program serves, with all that is mounted below it at that
     * moment, without set-user-ID, devices and programs. NULL: an empty one that is the jail's. */
    const char *folder;
    bool read_only;
    /* It has the host's network; and where `calls` is NULL, sockets of the internet's alone. */
    bool network;
    bool connected;        /* descriptor 3 is the connection for which alone it runs */
    const char *place;     /* where the program finds the folder; it is its working directory */
    uint64_t capabilities; /* JAIL_CAPABILITY() of each that it keeps */
    bool processes;  /* it has /proc/self, of a procfs that holds processes and nothing else */
    uint64_t memory; /* bytes that it may allocate (RLIMIT_DATA); 0: it says so itself */
    uint64_t files;  /* that it may have open at a time; likewise */
    /* A library that is loaded into it before its own (LD_PRELOAD), or NULL; an absolute path. */
    const char *library;
    const char *calls; /* the names of the system calls that it may make, one blank between;
                        * NULL: it has its own filter, and limits itself. It may not have the kernel
                        * send it a signal of its choice later: one that was stopped would go on */
};

/*
 * Divides the calling process: returns in the one inside, which then executes @p program.
 *
 * The other one, which has the number that the caller knows, holds no descriptor but the
 * connection, has no capability, waits for the one inside and ends as that did. If it is killed, so
 * is everything inside.
 *
 * Without CAP_SYS_ADMIN the jail has its own user namespace, in which the caller's user is
 * root and nobody else exists.
 *
 * @param program   an absolute path
 * @param ret_step  on failure: what could not be done, a static text
 * @return 0, or -errno: the process is in no jail, or in half of one, and must end. It may be
 *         inside then already, or outside with another one inside, which ends with it
 */
int jail_enter(const struct jail *jail, const char *program, const char **ret_step);

#endif
