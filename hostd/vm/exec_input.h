/*
 * exec input: what is fed to the standard input of one command in a guest.
 *
 * The guest answers each PROCESS_INPUT when the command has taken it. So one is outstanding at a
 * time, however long that takes, and what waits behind it is held here.
 */
#ifndef GUESTLINK_HOSTD_EXEC_INPUT_H
#define GUESTLINK_HOSTD_EXEC_INPUT_H

#include "guest/guest.h"

#include "protocol/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes held for one command: what the guest holds for it, and three more such chunks. */
#define EXEC_INPUT_MAX ((size_t)4 * LIMITS_STREAM_CHUNK)

struct exec_input {
    struct guest *guest; /* borrowed */
    /* There is room again, or nothing is taken any more; from the event loop alone. */
    void (*changed)(void *userdata);
    void *userdata;
    uint32_t process;
    bool closed; /* nothing is taken any more: the end was given, or the command takes none */
    bool end;    /* the end is to be sent behind what is held */
    bool asked;  /* a PROCESS_INPUT is outstanding */
    size_t size; /* held, the bytes of the outstanding one included */
    size_t sent; /* of those, in the outstanding one */
    uint8_t *data;
};

/*
 * Takes bytes to be fed.
 *
 * @param size  at most LIMITS_STREAM_CHUNK; 0: the end of the input
 * @return 0; -EAGAIN: no room now; -EPIPE: the input was closed; -ENOTCONN; -ENOMEM
 */
int exec_input_give(struct exec_input *input, const void *data, size_t size);

/* Forgets what is held, and its outstanding request. Nothing is taken afterwards. */
void exec_input_done(struct exec_input *input);

#endif
