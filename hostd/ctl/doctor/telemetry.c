/*
 * doctor, its part that reads what guests said of themselves: the last boot of each VM in the
 * telemetry file, which is there without the daemon, too.
 */
#include "client.h"
#include "command.h"
#include "config/policy.h"
#include "doctor.h"
#include "event_reader.h"
#include "since.h"

#include "protocol/welcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A connection of nobody's VM that is longer ago is history. */
#define RECENT_S 3600

/* Events, NULL for none; and what the daemon knows of a guest of which there are none any more. */
struct last {
    struct json_object *connected, *pool, *refused, *capabilities;
};

static void set(struct json_object **event, struct json_object *to)
{
    json_object_put(*event);
    *event = json_object_get(to);
}

static void note(struct last *last, struct json_object *event)
{
    const char *name = command_text(event, "event");

    if (strcmp(name, "GuestConnected") == 0) {
        set(&last->connected, event);
        set(&last->refused, NULL);
        /* The daemon says it once for a kernel release, not at each boot. */
        if (strcmp(command_text(event, "release"), command_text(last->pool, "release")) != 0)
            set(&last->pool, NULL);
    } else if (strcmp(name, "ApplyGuestCapabilities") == 0 &&
               command_text(event, "token")[0] != '\0') {
        set(&last->pool, NULL);
    } else if (strcmp(name, "SwiotlbKernelUnsupported") == 0 ||
               strcmp(name, "SwiotlbPoolRejected") == 0) {
        set(&last->pool, event);
    } else if (strcmp(name, "ProtocolError") == 0 &&
               command_number(event, "status") == WELCOME_VERSION) {
        set(&last->refused, event);
    }
}

/* A CID that called, and of which the configuration does not know. */
static void note_stranger(const struct doctor *doctor, struct json_object **stranger,
                          struct json_object *event)
{
    uint64_t cid = command_number(event, "cid"), at;

    if (cid == 0 || command_number(event, "status") != WELCOME_UNKNOWN_VM ||
        since_parse_timestamp(command_text(event, "ts"), &at) < 0 ||
        at / 1000000 + RECENT_S < (uint64_t)time(NULL))
        return;
    for (size_t i = 0; i < doctor->config->vm_count; i++)
        if (doctor->config->vms[i].cid == cid)
            return;
    set(stranger, event);
}

static int read_events(const struct doctor *doctor, const struct config_vm *vms, size_t count,
                       struct last *last, struct json_object **stranger)
{
    const char *file = doctor->config->telemetry.file;
    struct event_reader *reader = NULL;
    int r = file == NULL ? -ENOENT : event_reader_new(file, false, &reader);
    char *line;

    while (r >= 0 && (r = event_reader_next(reader, &line)) > 0) {
        struct json_object *event = json_tokener_parse(line);
        const char *name = command_text(event, "vm_id");

        for (size_t i = 0; i < count; i++)
            if (strcmp(vms[i].id, name) == 0)
                note(&last[i], event);
        note_stranger(doctor, stranger, event);
        json_object_put(event);
    }
    (void)event_reader_free(reader);
    return r;
}

/* A guest that runs for long connected before what is left of the rotated files. */
static void ask_daemon(const struct doctor *doctor, const struct config_vm *vm, struct last *last)
{
    struct json_object *reply;

    if (doctor->socket == NULL || last->connected != NULL || last->refused != NULL)
        return;
    reply = client_ask(doctor->socket, "Show", command_vm_params(vm->id));
    set(&last->capabilities, json_member(json_member(reply, "vm"), "capabilities"));
    json_object_put(reply);
}

static void tell_version(struct doctor *doctor, const struct config_vm *vm, const struct last *last)
{
    struct json_object *guest = last->connected ? last->connected : last->capabilities;

    if (last->refused != NULL)
        doctor_find(doctor, DOCTOR_WRONG, "version", vm->name,
                    "recreate the guest's image with guestlink-init " GUESTLINK_VERSION
                    " (guestlink-mkinitramfs), or install the matching guestlink-hostd",
                    "guestlink-init of the guest speaks another version of the protocol; "
                    "guestlink-hostd refused it at %s",
                    command_text(last->refused, "ts"));
    else if (guest != NULL)
        doctor_find(doctor, DOCTOR_RIGHT, "version", vm->name, "",
                    "guestlink-init %s of the guest speaks our version of the protocol",
                    command_text(guest, "init_version"));
    else
        doctor_find(doctor, DOCTOR_UNKNOWN, "version", vm->name,
                    "start the guest; is guestlink-init its PID 1, with what `guestlinkctl "
                    "cmdline` prints on its command line?",
                    "telemetry has no connection of its guest (any more)");
}

static void tell_pool(struct doctor *doctor, const struct config_vm *vm, const struct last *last)
{
    struct policy policy = policy_decide(doctor->config, vm, NULL, NULL);
    const char *reason = command_text(last->pool, "reason"), *check = "allocation", *advice;

    if (policy.swiotlb_bytes == 0) {
        doctor_find(doctor, DOCTOR_RIGHT, "kernel", vm->name, "",
                    "no SWIOTLB pool is requested, so any kernel works");
    } else if (last->pool != NULL) {
        if (strcmp(reason, "kernel-too-old") == 0 || strcmp(reason, "not-on-command-line") == 0)
            check = "kernel";
        advice = command_text(last->pool, "advice");
        doctor_find(doctor, DOCTOR_WRONG, check, vm->name,
                    advice[0] != '\0'
                        ? advice
                        : "set swiotlb to a smaller size or to off, or update the guest's kernel",
                    "%s (kernel %s); devices have no token", command_text(last->pool, "text"),
                    command_text(last->pool, "release"));
    } else if (last->connected != NULL) {
        doctor_find(doctor, DOCTOR_RIGHT, "allocation", vm->name, "",
                    "kernel %s created its SWIOTLB pool", command_text(last->connected, "release"));
    } else if (command_number(last->capabilities, "swiotlb_size") > 0) {
        doctor_find(doctor, DOCTOR_RIGHT, "allocation", vm->name, "",
                    "kernel %s created its SWIOTLB pool",
                    command_text(last->capabilities, "kernel_release"));
    }
}

void doctor_look_at_telemetry(struct doctor *doctor, const struct config_vm *vms, size_t count)
{
    struct last *last = calloc(count + 1, sizeof(*last));
    struct json_object *stranger = NULL;
    int r = last == NULL ? -ENOMEM : read_events(doctor, vms, count, last, &stranger);

    if (r < 0)
        doctor_find(doctor, DOCTOR_UNKNOWN, "telemetry", "",
                    "name a file in \"telemetry\": {\"file\": PATH}, or run as its owner",
                    "%s: %s; cannot check what guests reported",
                    doctor->config->telemetry.file != NULL ? doctor->config->telemetry.file
                                                           : "no telemetry file",
                    strerror(-r));
    for (size_t i = 0; r >= 0 && i < count; i++) {
        ask_daemon(doctor, &vms[i], &last[i]);
        tell_version(doctor, &vms[i], &last[i]);
        tell_pool(doctor, &vms[i], &last[i]);
    }
    if (stranger != NULL)
        doctor_find(doctor, DOCTOR_WRONG, "cid", "",
                    "give the VM that \"cid\" in the configuration, or start it with the right one",
                    "a guest with CID %llu connected at %s and was refused: no VM has that CID",
                    (unsigned long long)command_number(stranger, "cid"),
                    command_text(stranger, "ts"));
    for (size_t i = 0; last != NULL && i < count; i++) {
        json_object_put(last[i].connected);
        json_object_put(last[i].pool);
        json_object_put(last[i].refused);
        json_object_put(last[i].capabilities);
    }
    json_object_put(stranger);
    free(last);
}
