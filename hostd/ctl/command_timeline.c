/* command timeline: the boot of a VM's guest as bars, on the terminal or in a file. */
#include "client.h"
#include "command.h"
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
        say_error("%s: %s, expected a file that can be written", path, strerror(errno));
        return 1;
    }
    timeline_write_svg(timeline, title, stream);
    failed = ferror(stream) != 0;
    if (!standard && fclose(stream) != 0)
        failed = true;
    if (failed)
        say_error("%s: %s; it is not complete", path, strerror(errno));
    return failed ? 1 : 0;
}

static int draw(const struct options *options, struct json_object *vm)
{
    struct json_object *capabilities = command_member(vm, "capabilities");
    struct timeline timeline;
    char title[256];

    if (!timeline_make(command_member(vm, "timings"), &timeline)) {
        say_error("%s: no guest was heard of since the daemon began, expected one; there is "
                  "nothing to draw",
                  command_text(vm, "name"));
        return 1;
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

int command_timeline(const struct options *options, char **words)
{
    struct json_object *reply = NULL, *vm;
    int status;

    if (command_call(options, "Show", command_vm_params(words[0]), CLIENT_QUICK_MS, &reply) != 0)
        return 1;
    vm = command_member(reply, "vm");
    if (options->json) {
        say_json(command_member(vm, "timings"));
        status = 0;
    } else {
        status = draw(options, vm);
    }
    json_object_put(reply);
    return status;
}
