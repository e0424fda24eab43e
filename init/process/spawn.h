/*
 * spawn: starts one program.
 */
#ifndef GUESTLINK_INIT_SPAWN_H
#define GUESTLINK_INIT_SPAWN_H

#include <sys/types.h>

#include "protocol/request.h"

/* Exit statuses of what never became the program (shells and container runtimes have the same). */
#define SPAWN_NOT_STARTED    125
#define SPAWN_NOT_EXECUTABLE 126
#define SPAWN_NOT_FOUND      127

/* What the child says through exec_fd if it does not become the program. */
struct spawn_failure {
    int error;      /* positive errno */
    int status;     /* the child's exit status: SPAWN_… */
    char where[32]; /* "working directory", … */
};

/* The control group of a program: cgroup.h. */
struct spawn_group {
    int tree; /* -1: there is no cgroup2 */
    const char *name;
};

struct spawned {
    pid_t pid;
    int exec_fd;   /* a spawn_failure, or end of file once execve(2) succeeded */
    int out_fd[2]; /* stdout, stderr, if REQUEST_PROCESS_OUTPUT; else -1. With
                    * REQUEST_PROCESS_PTY: the master, and -1 */
    int in_fd;     /* stdin, if REQUEST_PROCESS_INPUT; else -1 */
};

/*
 * Forks, and has the child become order's program: a session, process group and control group of
 * its own, signals at their defaults, the limits that were asked for, no descriptor but 0, 1 and 2,
 * which are its user's, not protected from the OOM killer, the environment of PID 1 without what
 * was meant for PID 1 alone.
 *
 * Of a connection (REQUEST_PROCESS_CONNECTION) the child becomes no program, but copies between the
 * connection and its stdin and stdout (work/connection.h).
 *
 * @param order  lists already checked by spawn_check()
 * @param ret    all non-blocking and close-on-exec, the caller's
 * @return 0 or a negative errno; with REQUEST_PROCESS_PTY also terminal_open()'s
 */
int spawn(const struct request_start_process *order, const struct spawn_group *group,
          struct spawned *ret);

/* @return 0, E2BIG (too many words) or EINVAL (no argv, a variable without `=`, a bad limit, its
 * own terminal for a payload, or for a command whose output nobody wants) */
int spawn_check(const struct request_start_process *order);

/* True if a variable of PID 1's environment (NAME=VALUE) is not for its children. */
bool spawn_is_private(const char *variable);

#endif
