/*
 * varlink support: a server with a small interface, and one client at a socket pair.
 *
 * The interface is io.test: Echo answers at once with its parameters, Fail with an error; Late and
 * Stream leave the call open, in `late`.
 */
#ifndef GUESTLINK_TESTS_VARLINK_SUPPORT_H
#define GUESTLINK_TESTS_VARLINK_SUPPORT_H

#include "varlink/varlink.h"

#include <stdbool.h>
#include <stddef.h>

struct fixture {
    sd_event *event;
    struct varlink *varlink;
    int client;
    struct varlink_call *late;
    unsigned closed, drained;
};

/* For cmocka; *state is a struct fixture. */
int varlink_set_up(void **state);
int varlink_tear_down(void **state);

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, varlink_set_up, varlink_tear_down)

/* Another client, now that the one before is closed or kept by the caller. */
void new_client(struct fixture *fixture);

/* Lets the server do all that it can do now. */
void varlink_run(const struct fixture *fixture);

/* Sends bytes, and runs. */
void tell(const struct fixture *fixture, const char *text, size_t size);
#define TELL(fixture, text) tell(fixture, text, sizeof(text))

/* What came, up to 64 KiB of it, NULs as newlines; "" if the server closed. */
const char *hear(const struct fixture *fixture);

/* True if the connection is there and nothing came. */
bool is_silent(const struct fixture *fixture);

#endif
