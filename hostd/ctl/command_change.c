/* commands share, shutdown and reload: what changes a VM or the daemon, and metrics, its numbers.
 */
#include "client.h"
#include "command.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The daemon's own limit of a grace, an hour. */
#define GRACE_MAX_MS 3600000u

/* Calls, and prints what the daemon remarks. Gives up after the daemon does, which adds the grace
 * to its own deadline. */
static int change(const struct options *options, const char *method, struct json_object *params)
{
    struct json_object *reply = NULL;
    uint32_t grace_ms = options->grace_ms < GRACE_MAX_MS ? options->grace_ms : GRACE_MAX_MS;
    int status = command_call(options, method, params, CLIENT_SLOW_MS + (int)grace_ms, &reply);

    if (status == 0 && options->json) {
        say_json(reply);
    } else if (status == 0 && command_text(reply, "remark")[0] != '\0') {
        say_text(SAY_PLAIN, command_text(reply, "remark"));
        (void)putchar('\n');
    }
    json_object_put(reply);
    return status;
}

/*
 * The daemon runs elsewhere: a path is made absolute here, where it was typed. What this user may
 * not look at, the daemon may.
 *
 * @return malloc()ed; NULL: said why not
 */
static char *find_folder(const char *path)
{
    char *absolute = realpath(path, NULL);
    int error = absolute == NULL ? errno : 0;
    struct stat status;

    if (error == 0 && stat(absolute, &status) == 0 && !S_ISDIR(status.st_mode))
        error = ENOTDIR;
    if (error != 0 && error != ENOENT && error != ENOTDIR) {
        absolute = strdup(path);
        error = absolute == NULL ? ENOMEM : 0;
    }
    if (error == 0)
        return absolute;
    free(absolute);
    say_error("cannot share \"%s\": %s; nothing was added; create the folder, or name another",
              path, strerror(error));
    return NULL;
}

int command_share_add(const struct options *options, char **words)
{
    char *path = find_folder(words[2]);
    struct json_object *params;

    if (path == NULL)
        return 1;
    params = command_vm_params(words[0]);
    json_add_text(params, "tag", words[1]);
    json_add_text(params, "path", path);
    json_add_text(params, "target", words[3]);
    if ((options->given & OPTIONS_READ_ONLY) != 0)
        json_add_flag(params, "read_only", true);
    if (options->transport != NULL)
        json_add_text(params, "transport", options->transport);
    free(path);
    return change(options, "AddShare", params);
}

int command_share_remove(const struct options *options, char **words)
{
    struct json_object *params = command_vm_params(words[0]);

    json_add_text(params, "tag", words[1]);
    return change(options, "RemoveShare", params);
}

int command_shutdown(const struct options *options, char **words)
{
    struct json_object *params = command_vm_params(words[0]);

    if ((options->given & OPTIONS_REBOOT) != 0)
        json_add_flag(params, "reboot", true);
    if ((options->given & OPTIONS_GRACE) != 0)
        json_add_number(params, "grace_ms", options->grace_ms);
    return change(options, "ShutDown", params);
}

int command_reload(const struct options *options, char **words)
{
    struct json_object *reply = NULL, *remarks;

    (void)words;
    if (command_call(options, "Reload", NULL, CLIENT_SLOW_MS, &reply) != 0)
        return 1;
    remarks = json_member(reply, "remarks");
    if (options->json)
        say_json(reply);
    for (size_t i = 0; !options->json && i < json_count(remarks); i++)
        say_error("%s", json_object_get_string(json_element(remarks, i)));
    json_object_put(reply);
    return 0;
}

int command_metrics(const struct options *options, char **words)
{
    struct json_object *reply = NULL;

    (void)words;
    if (command_call(options, "Metrics", NULL, CLIENT_QUICK_MS, &reply) != 0)
        return 1;
    if (options->json)
        say_json(reply);
    else
        say_lines(command_text(reply, "text"));
    json_object_put(reply);
    return 0;
}
