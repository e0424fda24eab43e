/*
 * hostd VM: a guest at one end of a socket pair, which answers what it is asked, and a VM with a
 * device host that only records at the other.
 */
#ifndef GUESTLINK_TESTS_VM_SUPPORT_H
#define GUESTLINK_TESTS_VM_SUPPORT_H

#include "config/settings.h"
#include "folder.h"
#include "handshake.h"
#include "vm/vm_owner.h"

#include "protocol/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    char folder[FOLDER_BYTES];
    struct services services;
    struct settings *settings;
    struct handshakes *handshakes;
    struct vm *vm;
    int guest; /* its end of the connection, or -1 */
    uint8_t boot;
    uint64_t features; /* of the guest's kernel, with virtiofs and a published pool */
    uint64_t step_us;  /* expire(): no timer of this test was armed before, CLOCK_MONOTONIC */
    /* how many requests of each type the guest has answered */
    unsigned asked[64];
    int answer;       /* what it answers to MOUNT and UNMOUNT, an errno */
    const char *busy; /* to UNMOUNT of this target, which is not detached, it answers EBUSY */
    /* What MOUNT and UNMOUNT asked of it: "+/target ", "-/target ", "!/target " (detached). */
    char mounts[1024];
    unsigned done;
    int error;
};

/* cmocka's: *state is the fixture. */
int set_up(void **state);
int tear_down(void **state);

/* A configuration with the fixture's VM, which has @p more keys. */
struct settings *configure(struct fixture *f, const char *more);

/* Sends a frame of the guest's. */
void say(struct fixture *f, uint16_t type, uint16_t flags, uint32_t id, const uint8_t *payload,
         size_t size);

/* Sends CAPABILITIES, with a pool of that size. */
void report(struct fixture *f, uint64_t pool);

/* Runs the daemon's side until it has nothing more to do. */
void run(struct fixture *f);

/*
 * Makes one of the daemon's timers go off now, and runs the daemon's side: what comes of it does
 * not depend on how busy the machine is. It must have been armed for @p ms, since step_us, which
 * becomes now.
 */
void expire(struct fixture *f, sd_event_source *timer, uint64_t ms);

/* A vm_done_fn: counts in `done`, keeps `error`. @p userdata is the fixture */
void note_done(void *userdata, int error, const char *text);

/* Runs both ends until neither has anything more to say. */
void settle(struct fixture *f);

/* A new connection of the guest's, its handshake, and all that the host asks then. */
void connect_guest(struct fixture *f, uint64_t pool);

/* What is written to stderr from here until captured(), which gives as much as fits. */
FILE *capture_stderr(int *ret_saved);
const char *captured(FILE *file, int saved, char *text, size_t capacity);

#endif
