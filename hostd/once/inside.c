/* inside: guestlinkctl's exec, and what stands before the command's own words. */
#include "inside.h"

#include "base/json.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "image.h"
#include "ready.h"
#include "words.h"

#include <stdio.h>

/* Between SIGTERM and SIGKILL for what the command left running. */
#define GRACE_MS 1000

/* From the request to shut down until QEMU has ended: the grace, what is written, and an emulated
 * guest's time. */
#define SHUT_DOWN_MS 15000

/* What ends the command by ending the VM is heard of a moment later. */
#define EVENT_MS 1000

/* With a root: what enters it runs the command there, as that root's user. */
static void add_enter(const struct request *request, struct words *words)
{
    words_add(words, IMAGE_ENTER);
    if (!request->root_rw)
        words_add(words, "--overlay");
    for (size_t i = 0; i < request->share_count; i++) {
        words_add(words, "--bind");
        words_add(words, "%s", request->shares[i].target);
    }
    if (request->user != NULL) {
        words_add(words, "--user");
        words_add(words, "%s", request->user);
    }
    if (request->directory != NULL) {
        words_add(words, "--directory");
        words_add(words, "%s", request->directory);
    }
    words_add(words, PLAN_ROOT);
}

int inside_run(const struct plan *plan, struct supervisor *supervisor)
{
    const struct request *request = plan->request;
    char socket[FOLDER_SIZE + 32];
    struct options options = OPTIONS_NULL;
    WORDS words = WORDS_NULL;
    int status;

    (void)snprintf(socket, sizeof(socket), "%s/" FOLDER_CONTROL, plan->folder);
    options.socket = socket;
    options.given = request->input ? OPTIONS_INTERACTIVE : OPTIONS_NO_INPUT;
    if (request->terminal)
        options.given |= OPTIONS_TERMINAL;
    options.environment = request->environment;
    options.stop = supervisor->events;
    words_add(&words, PLAN_VM);
    if (request->root != NULL) {
        add_enter(request, &words);
    } else {
        options.directory = request->directory;
        if (request->user != NULL)
            (void)request_parse_ids(request->user, &options.uid, &options.gid);
    }
    for (char **word = request->argv; *word != NULL; word++)
        words_add(&words, "%s", *word);
    if (words.failed)
        return READY_NOT_STARTED;
    status = command_exec(&options, words.items);
    /* Its own 125 has no event behind it. */
    if (status == READY_NOT_STARTED) {
        int event = supervisor_wait(supervisor, EVENT_MS);

        if (event != 0)
            return ready_tell_end(plan, event);
    }
    return status;
}

void inside_shut_down(const struct plan *plan, struct supervisor *supervisor)
{
    char socket[FOLDER_SIZE + 32];
    struct json_object *params;

    if (supervisor->over)
        return;
    (void)snprintf(socket, sizeof(socket), "%s/" FOLDER_CONTROL, plan->folder);
    params = command_vm_params(PLAN_VM);
    json_add_number(params, "grace_ms", GRACE_MS);
    json_object_put(client_ask(socket, "ShutDown", params));
    (void)supervisor_wait(supervisor, SHUT_DOWN_MS);
}
