/* qmp command: the commands that wait for QEMU's answers, each with its deadline. */
#include "qmp_command.h"

#include "base/json.h"
#include "base/limits.h"
#include "qmp_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_ACCURACY_US 10000u

struct qmp_command {
    struct qmp_command *next;
    struct qmp_commands *commands;
    int64_t id;
    char *name;
    uint32_t timeout_ms;
    sd_event_source *deadline;
    qmp_reply_fn fn;
    void *userdata;
};

static void take(struct qmp_command *command)
{
    struct qmp_command **position = &command->commands->first;

    while (*position != command)
        position = &(*position)->next;
    *position = command->next;
}

static void destroy(struct qmp_command *command)
{
    if (!command)
        return;
    sd_event_source_disable_unref(command->deadline);
    free(command->name);
    free(command);
}

/* @param command  no longer on the list; freed */
static void finish(struct qmp_command *command, const struct qmp_reply *reply)
{
    command->deadline = sd_event_source_disable_unref(command->deadline);
    if (command->fn)
        command->fn(command->userdata, reply);
    destroy(command);
}

void qmp_commands_finish(struct qmp_commands *commands, int error, const char *text)
{
    const struct qmp_reply reply = {.error = error, .text = text};
    struct qmp_command *command = commands->first, *next;

    commands->first = NULL;
    for (; command; command = next) {
        next = command->next;
        finish(command, &reply);
    }
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    struct qmp_command *command = userdata;
    char text[LIMITS_TEXT];
    struct qmp_reply reply = {.error = ETIMEDOUT, .text = text};

    (void)source;
    (void)now;
    (void)snprintf(text, sizeof(text), "QEMU did not answer %s within %u ms", command->name,
                   command->timeout_ms);
    take(command);
    finish(command, &reply);
    return 0;
}

int qmp_commands_send(struct qmp_commands *commands, sd_event *event, struct json_link *link,
                      const char *name, struct json_object *arguments, uint32_t timeout_ms,
                      qmp_reply_fn fn, void *userdata)
{
    struct qmp_command *command = calloc(1, sizeof(*command));
    struct json_object *message = json_members("execute", json_object_new_string(name), "id",
                                               json_object_new_int64(commands->last_id + 1), NULL);
    struct qmp_command **position = &commands->first;
    int r = command && message ? 0 : -ENOMEM;

    if (message && arguments)
        json_object_object_add(message, "arguments", json_object_get(arguments));
    if (r == 0 && !(command->name = strdup(name)))
        r = -ENOMEM;
    if (r == 0)
        r = sd_event_add_time_relative(event, &command->deadline, CLOCK_BOOTTIME,
                                       (uint64_t)timeout_ms * 1000, DEADLINE_ACCURACY_US,
                                       on_deadline, command);
    if (r == 0)
        r = json_link_send(link, message);
    json_object_put(message);
    json_object_put(arguments);
    if (r < 0) {
        destroy(command);
        return r;
    }
    command->commands = commands;
    command->id = ++commands->last_id;
    command->timeout_ms = timeout_ms;
    command->fn = fn;
    command->userdata = userdata;
    while (*position)
        position = &(*position)->next;
    *position = command;
    return 0;
}

/* @return the command of that id, if it is open; else NULL */
static struct qmp_command *find(const struct qmp_commands *commands, int64_t id)
{
    struct qmp_command *command = commands->first;

    while (command && command->id != id)
        command = command->next;
    return command;
}

const char *qmp_commands_answer(struct qmp_commands *commands, struct json_object *message,
                                struct json_object *error)
{
    char text[LIMITS_TEXT] = "";
    struct qmp_reply reply = {.text = text, .result = json_member(message, "return")};
    struct qmp_command *command;
    int64_t id;

    if (!qmp_reader_number(json_member(message, "id"), &id) || id < 1 || id > commands->last_id)
        return "an answer without a question";
    if (error && !qmp_reader_words(json_member(error, "desc"), text, sizeof(text)))
        return "an error without a description";
    command = find(commands, id);
    if (!command)
        return NULL; /* its deadline was over */
    if (error)
        reply = (struct qmp_reply){.error = EREMOTEIO, .text = text};
    take(command);
    finish(command, &reply);
    return NULL;
}
