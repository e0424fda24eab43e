/* command timeline: the boot of a VM's guest as bars, on the terminal or in a file; asked of the
 * daemon, or taken from a telemetry file. */
#include "client.h"
#include "command.h"
#include "event_filter.h"
#include "event_reader.h"
#include "say.h"
#include "timeline.h"

#include <errno.h>
#include <string.h>

static int write_svg(const char *path, const struct timeline *timeline, const char *title)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdout : fopen(path, "we");
    bool failed;

    if (stream == NULL) {
        say_error("cannot write %s: %s", path, strerror(errno));
        return 1;
    }
    timeline_write_svg(timeline, title, stream);
    failed = ferror(stream) != 0;
    if (!standard && fclose(stream) != 0)
        failed = true;
    if (failed)
        say_error("cannot write %s: %s; the file is incomplete", path, strerror(errno));
    return failed ? 1 : 0;
}

static int show(const struct options *options, struct json_object *vm)
{
    struct json_object *capabilities = json_member(vm, "capabilities");
    struct timeline timeline;
    char title[256];

    if (!timeline_make(json_member(vm, "timings"), &timeline)) {
        say_error("%s: no guest has connected since the daemon started; nothing to draw",
                  command_text(vm, "name"));
        return 1;
    }
    if (options->json) {
        say_json(json_member(vm, "timings"));
        return 0;
    }
    (void)snprintf(title, sizeof(title), "%s, boot %.8s, %s", command_text(vm, "name"),
                   command_text(capabilities, "boot_id"),
                   command_text(capabilities, "kernel_release"));
    say_sanitise(title);
    if (options->svg != NULL)
        return write_svg(options->svg, &timeline, title);
    (void)puts(title);
    timeline_print(&timeline);
    return 0;
}

/* GuestReady's fields under the names that io.guestlink.Timings has for them. */
static struct json_object *timings_of(struct json_object *event)
{
    struct json_object *timings = json_object_new_object();
    char name[64];

    json_object_object_foreach(event, key, value)
    {
        size_t size = strlen(key);

        if (strncmp(key, "host_", 5) == 0)
            (void)snprintf(name, sizeof(name), "%s", key + 5);
        else if (size > 3 && strcmp(key + size - 3, "_ns") == 0)
            (void)snprintf(name, sizeof(name), "guest_%s", key);
        else
            continue;
        json_object_object_add(timings, name, json_object_get(value));
    }
    return timings;
}

/* What a line adds to what is known of the VM: the last boot that became ready counts. */
static void note(struct json_object *vm, struct json_object *event)
{
    const char *name = command_text(event, "event");
    struct json_object *capabilities = json_member(vm, "capabilities");

    if (strcmp(name, "GuestConnected") == 0) {
        json_add_text(vm, "release", command_text(event, "release"));
    } else if (strcmp(name, "GuestReady") == 0 && !command_flag(event, "again")) {
        json_object_object_add(vm, "timings", timings_of(event));
        json_add_text(capabilities, "boot_id", command_text(event, "boot_id"));
        json_add_text(capabilities, "kernel_release", command_text(vm, "release"));
    }
}

/* @return the VM as far as Show would tell it and a timeline needs it, or NULL after saying why */
static struct json_object *read_file(const char *file, const char *name)
{
    const struct event_filter filter = {.vm = name};
    struct json_object *vm = json_object_new_object();
    struct event_reader *reader = NULL;
    int r = event_reader_new(file, false, &reader);
    char *line;

    json_add_text(vm, "name", name);
    json_object_object_add(vm, "capabilities", json_object_new_object());
    while (r >= 0 && (r = event_reader_next(reader, &line)) > 0) {
        struct json_object *event = json_tokener_parse(line);

        if (json_object_is_type(event, json_type_object) && event_filter_matches(&filter, event))
            note(vm, event);
        json_object_put(event);
    }
    (void)event_reader_free(reader);
    if (r < 0)
        say_error("cannot read %s: %s, expected a telemetry file of guestlink-hostd", file,
                  strerror(-r));
    else if (json_member(vm, "timings") == NULL)
        say_error("%s: no boot of \"%s\" became ready; nothing to draw", file, name);
    else
        return vm;
    json_object_put(vm);
    return NULL;
}

/* @return the caller's, or NULL after saying why */
static struct json_object *find_vm(const struct options *options, const char *name)
{
    struct json_object *reply = NULL, *vm;

    if (options->file != NULL)
        return read_file(options->file, name);
    if (command_call(options, "Show", command_vm_params(name), CLIENT_QUICK_MS, &reply) != 0) {
        say_error("with --file FILE, timeline reads telemetry and needs no daemon");
        return NULL;
    }
    vm = json_object_get(json_member(reply, "vm"));
    json_object_put(reply);
    return vm;
}

int command_timeline(const struct options *options, char **words)
{
    struct json_object *vm;
    int status;

    if (options->json && options->svg != NULL) {
        say_error(
            "cannot use --svg with --json: a picture is not JSON; nothing was done; leave out "
            "one of the two");
        return 2;
    }
    vm = find_vm(options, words[0]);
    if (vm == NULL)
        return 1;
    status = show(options, vm);
    json_object_put(vm);
    return status;
}
