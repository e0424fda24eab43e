/*
 * process: the programs that PID 1 starts and reports on: one payload, and commands of operators.
 */
#ifndef GUESTLINK_INIT_PROCESS_H
#define GUESTLINK_INIT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/report.h"
#include "exit_report.h"
#include "link/link.h"
#include "protocol/frame.h"
#include "protocol/request.h"

struct processes;

struct process {
    bool used;
    bool exited;          /* reaped; streams may still be open */
    size_t owed[2];       /* bytes that were in their pipes then */
    size_t after_exit[2]; /* bytes that came from them since */
    bool orphaned; /* a command whose connection is gone: its number means nothing any more */
    uint32_t number;
    uint16_t role;
    uint16_t restart;
    uint32_t flags;
    pid_t pid; /* 0: waits to be started again */
    int wait_status;
    uint32_t restarts;
    uint32_t pause_ms;
    uint64_t started_ns;
    uint64_t exited_ns;
    uint32_t id; /* of the request that waits for execve(2), 0: answered */
    uint32_t generation;
    struct loop_source exec;
    struct loop_source out[2]; /* stdout, stderr */
    struct loop_source in;
    struct loop_timer timer; /* the end of the streams, or of the pause before a restart */
    uint32_t untaken;        /* bytes of its output that the host has not taken; of a connection */
    size_t input_size;
    bool input_ended;
    uint32_t input_id; /* of the request whose bytes wait in `input`, 0: none */
    uint32_t input_generation;
    struct processes *owner;
    uint8_t *input; /* of INIT_INPUT_SIZE: what its stdin did not take yet */
};

struct processes {
    struct loop *loop;
    struct link *link;
    struct exit_reports *exits;
    /* An output of a process has ended; process_run.c's. */
    void (*stream_ended)(struct process *process);
    uint64_t payload_ns; /* CLOCK_BOOTTIME when the payload was last started; 0: never */
    bool stopping;       /* nothing is started (again) any more */
    int cgroups; /* the tree of their control groups; 0: not opened yet; -1: there is none */
    struct request_start_process payload; /* its lists point into payload_bytes */
    uint8_t payload_bytes[FRAME_PAYLOAD_MAX];
    struct process table[INIT_PROCESSES];
    /* Apart from the table, which is walked: pages that no process needs are never touched. */
    uint8_t input[INIT_PROCESSES][INIT_INPUT_SIZE];
};

/* @param processes zeroed memory; set its loop, link and exits first */
void processes_init(struct processes *processes);

/*
 * Starts a program. On 0 the request is answered once execve(2) succeeded or failed.
 *
 * @param id  of the request, 0: nobody is to be answered
 * @return 0, or a positive errno with the reason in @p report: EALREADY (a payload runs), EEXIST
 *         (the number is in use), EAGAIN (too many, or no memory), EINVAL, E2BIG
 */
int process_start(struct processes *processes, const struct request_start_process *request,
                  uint32_t id, uint32_t generation, struct report *report);

/* Starts the payload of PID 1's own arguments, as number 0. */
int process_start_words(struct processes *processes, char *const *words, size_t count,
                        struct report *report);

/* Sends a signal to the process group, and to all others that it started; SIGHUP also hangs its own
 * terminal or the connection up, even after its exit. @return 0, ESRCH or EINVAL with the reason */
int process_signal(struct processes *processes, uint32_t number, uint32_t signal,
                   struct report *report);

/*
 * Feeds stdin; an empty text ends it. On 0 the request is answered: 0 once stdin has taken all of
 * it, which may be now; EPIPE if it is closed before that.
 *
 * @param id  of the request, 0: nobody is to be answered
 * @return 0, or with the reason in @p report EPIPE (it has no input, or ended it) or EAGAIN
 *         (what came before is not taken yet)
 */
int process_input(struct process *process, const struct request_process_input *input, uint32_t id,
                  uint32_t generation, struct report *report);

/* Sets the size of its own terminal. @return 0, or with the reason in @p report ESRCH or ENOTTY */
int process_resize(struct processes *processes, const struct request_resize_terminal *request,
                   struct report *report);
/* The host took so many bytes of a connection's output. */
void process_output_taken(struct process *process, uint32_t bytes);

/* The process of that number, or NULL. */
struct process *process_find(struct processes *processes, uint32_t number);

/* SIGHUP to programs with a terminal: a shell there does not end by SIGTERM. */
void processes_hang_up_terminals(struct processes *processes);

/* Takes note of the end of @p pid. @return false if it is none of these */
bool process_reaped(struct processes *processes, pid_t pid, int status);

/* There is room in the link again: streams that had to wait go on. */
void process_resume(struct processes *processes);

/* The connection is gone: commands are hung up on (SIGHUP, and their own terminals), streams are
 * read and dropped. */
void process_lost(struct processes *processes);

#endif
