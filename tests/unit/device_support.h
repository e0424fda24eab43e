/*
 * device support: a device host under test with its event loop, and what it said.
 */
#ifndef GUESTLINK_TESTS_DEVICE_SUPPORT_H
#define GUESTLINK_TESTS_DEVICE_SUPPORT_H

#include "base/child.h"
#include "device/device_host.h"
#include "folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The longest that a test waits for anything. */
#define DEVICES_TIMEOUT_MS 60000u

struct devices {
    sd_event *event;
    char directory[FOLDER_BYTES]; /* made anew, removed at the end */
    struct config_vm vm;
    struct json_object *memory; /* for the next device host; the test's own */
    struct device_host *host;
    unsigned ups, downs, resets, losses, restorations, refusals, apertures, dones;
    unsigned downs_when_done;
    bool ended;
    struct device_outcome outcome; /* of the last operation; its text is the next field */
    char text[4096];               /* what was told last, whatever it was */
};

/* Set-up and tear-down of a test: *state is a struct devices without a host. */
int devices_set_up(void **state);
int devices_tear_down(void **state);

/* How a child ended, and how often that was told. */
struct devices_told {
    unsigned ends;
    struct child_end end;
};

/* A child_ended_fn; @p userdata is a struct devices_told. */
void devices_told_end(void *userdata, const struct child_end *end);

/* Makes the device host of devices->vm. */
void devices_start(struct devices *devices);

/* Runs the loop until *counter is at least @p value; fails the test if it takes too long. */
void devices_wait(struct devices *devices, const unsigned *counter, unsigned value);

/* Runs the loop for some time. */
void devices_run(struct devices *devices, uint32_t ms);

/* Operations, each with its outcome in devices->outcome. @return its error */
int devices_add_share(struct devices *devices, const struct device_share *share);
int devices_remove_share(struct devices *devices, const char *tag);
int devices_add_adapter(struct devices *devices, const struct device_adapter *adapter);
int devices_remove_adapter(struct devices *devices, const char *id);

/* The `done` of operations that a test begins itself; userdata is the struct devices. */
void devices_done(void *userdata, const struct device_outcome *outcome);

/* Writes an executable script into the directory. @return its path, in a static buffer */
const char *devices_script(const struct devices *devices, const char *name, const char *text);

/* Reads a file whole, "" if it is not there. */
const char *devices_read(const struct devices *devices, const char *name, char *buffer,
                         size_t capacity);

/* The first child of a process, or 0. */
pid_t devices_child_of(pid_t pid);

#endif
