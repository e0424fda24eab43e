/*
 * cgroup: a separate control group for the payload and for each command, so that everything that
 * one of them started can be bounded, signaled and ended, even in other sessions.
 *
 * The groups are directories in `guestlink` of cgroup2's root. The tree is reached by a mount that
 * nobody sees: it does not matter where cgroup2 is mounted, or if it is. Where the kernel has no
 * cgroup2, programs have none, and process groups have to do.
 */
#ifndef GUESTLINK_INIT_CGROUP_H
#define GUESTLINK_INIT_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

/* Of a group's name with its NUL. */
#define CGROUP_NAME_SIZE 24u

/* @return a descriptor of the directory `guestlink`, or a negative errno */
int cgroup_open(void);

/*
 * Makes the group if it is not there, bounds it and puts the caller, a child of PID 1, into it.
 * Removes groups of commands that are empty by now.
 *
 * @param memory_max, pids_max  0: no bound
 * @param ret_where             what failed, for people; static
 * @return 0 or a negative errno: -EOPNOTSUPP if the kernel has no such controller in cgroup2
 */
int cgroup_enter(int tree, const char *name, uint64_t memory_max, uint32_t pids_max,
                 const char **ret_where);

/* SIGKILL to all of the group, if there is one. @return 0 or a negative errno */
int cgroup_kill(int tree, const char *name);

/* Sends @p signal to whatever of the group is not in the process group @p reached. */
void cgroup_signal(int tree, const char *name, pid_t reached, int signal);

/* Removes the group, unless somebody is in it. */
void cgroup_remove(int tree, const char *name);

#endif
