/*
 * exec: a command that runs in a guest for somebody on the host, or a connection to a service
 * there.
 *
 * Made by vm_exec(). It ends with the event `exited` or `failed`, whichever comes, exactly once; it
 * is then only good for exec_free().
 */
#ifndef GUESTLINK_HOSTD_EXEC_H
#define GUESTLINK_HOSTD_EXEC_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exec;

struct exec_size {
    uint16_t rows, columns; /* 0: not known */
};

struct exec_command {
    struct config_strings argv;        /* at least one */
    struct config_strings environment; /* NAME=VALUE */
    const char *directory;             /* NULL: / */
    uint32_t uid, gid;
    bool input; /* stdin is fed by exec_input(); else it is /dev/null */
    /* All of its standard streams are its own terminal; its output is EVENT_STDOUT. */
    bool terminal;
    struct exec_size size; /* of that terminal */
    /* No command: argv is where to connect to. Its input is the one way, `output` of EVENT_STDOUT
     * the other, of which at most LIMITS_CONNECTION_WINDOW bytes come that exec_taken() did not
     * have. `started` is that it stands. */
    bool connection;
};

struct exec_events {
    /* execve(2) succeeded in the guest. */
    void (*started)(void *userdata);
    /* @p stream EVENT_STDOUT or EVENT_STDERR; @p size 0: the end of that stream */
    void (*output)(void *userdata, uint16_t stream, const void *data, size_t size);
    /* exec_input() has room again, or takes nothing any more. */
    void (*input_changed)(void *userdata);
    /* @p status by the shell's convention (128 + signal), @p signal that ended it or 0 */
    void (*exited)(void *userdata, uint32_t status, uint32_t signal);
    /* It could not be started (@p error is the guest's errno; @p status 127, 126 or 125 as a shell
     * would have it), or its guest went away (ECONNRESET, 125). */
    void (*failed)(void *userdata, int error, uint32_t status, const char *text);
};

/*
 * Feeds the command's standard input.
 *
 * @param size  at most LIMITS_STREAM_CHUNK; 0 ends the input
 * @return 0; -EAGAIN: what was given before is not taken yet, ask again after `input_changed`;
 * -EPIPE: it has no input (any more); -ENOTCONN
 */
int exec_input(struct exec *exec, const void *data, size_t size);

/* False: its input was closed, by either side. */
bool exec_takes_input(const struct exec *exec);

/* Sends it a signal. @return 0, -EAGAIN or -ENOTCONN */
int exec_signal(struct exec *exec, uint32_t signal);

/* Sets the size of its terminal. @return 0, -ENOTTY (it has none), -EAGAIN or -ENOTCONN */
int exec_resize(struct exec *exec, struct exec_size size);

/* Stops (true) and resumes (false) the reading from this guest, for a reader of the output who
 * cannot keep up. Everything else of that guest waits too, so resume within a second or free. */
void exec_pause(struct exec *exec, bool pause);

/* So many bytes of a connection's output were passed on; as many more may come. */
void exec_taken(struct exec *exec, size_t bytes);

/* Lets go of it: no event comes any more; what still runs is sent SIGHUP, which also hangs its
 * terminal up. @return NULL */
struct exec *exec_free(struct exec *exec);

#endif
