/*
 * device command: gives a VM its devices through a program of the operator's.
 *
 * Operations of one VM run one after the other, in the order in which they were asked for: a
 * program need not expect to meet itself.
 */
#include "device_command.h"

#include "base/child.h"
#include "base/fd.h"
#include "base/program.h"
#include "base/sink.h"
#include "device_command_message.h"
#include "device_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_ACCURACY_US 10000u

struct device_command;

/* An operation that waits for its turn or has it. */
struct run {
    TAILQ_ENTRY(run) of_all;
    struct device_command *command;
    struct device_operation *operation;
    const char *verb; /* "add-share" and so on */
    char *name;       /* of the device */
    char *options;    /* NULL: a removal */
    struct json_object *document;
    struct child *child; /* NULL: waits */
    struct sink *output;
    struct sink *errors;
    sd_event_source *deadline;
};

struct device_command {
    struct device_host host;
    sd_event_source *start; /* tells `up` first, later begins the next run */
    bool is_up;
    TAILQ_HEAD(, run) runs; /* in order; the first has its turn */
};

static void run_free(struct run *run)
{
    TAILQ_REMOVE(&run->command->runs, run, of_all);
    child_kill(run->child);
    sink_free(run->output);
    sink_free(run->errors);
    sd_event_source_disable_unref(run->deadline);
    json_object_put(run->document);
    free(run->name);
    free(run->options);
    free(run);
}

static void on_canceled(void *driver_data)
{
    run_free(driver_data);
}

/* Ends the run and its operation, and gives the turn to the next. */
static void finish(struct run *run, int error, const char *text)
{
    struct device_command *command = run->command;

    run->operation->canceled = NULL;
    if (error)
        device_operation_finish(run->operation, error, "device host command %s %s: %s", run->verb,
                                run->name, text);
    else
        device_operation_finish(run->operation, 0, "%s", text);
    run_free(run);
    if (!TAILQ_EMPTY(&command->runs))
        (void)sd_event_source_set_enabled(command->start, SD_EVENT_ONESHOT);
}

static void on_child_ended(void *userdata, const struct child_end *end)
{
    struct run *run = userdata;
    struct device_command_answer answer;
    char words[SINK_LAST_WORDS + 1], how[CHILD_END_SIZE], text[DEVICE_TEXT_SIZE];
    size_t size;

    sink_drain(run->output);
    sink_drain(run->errors);
    (void)sink_last_words(run->errors, words, sizeof(words));
    (void)device_command_answer_read(sink_data(run->output, &size), sink_has_overflown(run->output),
                                     &answer);
    if (!end->known || end->signaled || end->status != 0) {
        (void)snprintf(text, sizeof(text), "%s%s%s; last output: %s", child_end_describe(end, how),
                       answer.has_text ? "; " : "", answer.has_text ? answer.text : "",
                       words[0] ? words : "none");
        finish(run, answer.has_text && answer.error ? answer.error : EIO, text);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%s%s", answer.text,
                   answer.error && words[0] ? "; last output: " : "", answer.error ? words : "");
    run->operation->outcome.created = answer.created && run->options;
    run->operation->outcome.iommu_platform = answer.iommu_platform;
    finish(run, answer.error, text);
}

static int on_deadline(sd_event_source *source, uint64_t now, void *userdata)
{
    struct run *run = userdata;
    char words[SINK_LAST_WORDS + 1], text[DEVICE_TEXT_SIZE];

    (void)source;
    (void)now;
    sink_drain(run->errors);
    (void)sink_last_words(run->errors, words, sizeof(words));
    (void)snprintf(text, sizeof(text), "killed after %u ms; last output: %s",
                   run->command->host.timeout_ms, words[0] ? words : "none");
    finish(run, ETIMEDOUT, text);
    return 0;
}

/* A file in memory: the program reads it at its own pace, and nobody has to feed it.
 * @return its descriptor, or -errno */
static int open_document(struct json_object *document)
{
    size_t size, written = 0;
    const char *text = json_object_to_json_string_length(document, JSON_C_TO_STRING_PLAIN, &size);
    FD fd = text ? memfd_create("guestlink-device-command", MFD_CLOEXEC) : -1;

    if (fd < 0)
        return text ? -errno : -ENOMEM;
    while (written < size) {
        ssize_t n = write(fd, text + written, size - written);

        if (n < 0)
            return -errno;
        written += (size_t)n;
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd_take(&fd);
}

/* @return the writing end of a new pipe whose reading end became @p ret_sink; or -errno */
static int open_sink(struct run *run, enum sink_keep keep, size_t max, struct sink **ret_sink)
{
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    r = sink_new(run->command->host.event, ends[0], keep, max, ret_sink);
    if (r < 0) {
        (void)close(ends[1]);
        return r;
    }
    return ends[1];
}

static int start_child(struct run *run, const char *program, int fds[CHILD_FDS_MAX])
{
    const struct config_strings *words = &run->command->host.vm->device_host.argv;
    const char **argv = calloc(words->count + 5, sizeof(*argv));
    struct child_spec spec = {.detached = true};
    size_t count = 0;
    int r;

    if (!argv)
        return -ENOMEM;
    argv[count++] = program;
    for (size_t i = 1; i < words->count; i++)
        argv[count++] = words->items[i];
    argv[count++] = run->verb;
    argv[count++] = run->name;
    argv[count++] = run->options;
    spec.argv = argv;
    memcpy(spec.fds, fds, sizeof(spec.fds));
    r = child_start(run->command->host.event, &spec, on_child_ended, run, &run->child);
    free(argv);
    return r;
}

/* Starts the program of the run whose turn it is. @return 0 or -errno */
static int run_start(struct run *run, const char *program)
{
    sd_event *event = run->command->host.event;
    int fds[CHILD_FDS_MAX] = {-1, -1, -1, -1};
    int r;

    fds[0] = open_document(run->document);
    r = fds[0];
    if (r >= 0)
        r = fds[1] = open_sink(run, SINK_KEEP_FIRST, DEVICE_COMMAND_ANSWER_MAX, &run->output);
    if (r >= 0)
        r = fds[2] = open_sink(run, SINK_KEEP_LAST, SINK_LAST_WORDS, &run->errors);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &run->deadline, CLOCK_BOOTTIME,
                                       (uint64_t)run->command->host.timeout_ms * 1000,
                                       DEADLINE_ACCURACY_US, on_deadline, run);
    if (r >= 0)
        r = start_child(run, program, fds);
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return r < 0 ? r : 0;
}

static void begin_next(struct device_command *command)
{
    const struct config_strings *argv = &command->host.vm->device_host.argv;
    const char *name = argv->count > 0 ? argv->items[0] : GUESTLINK_DEVICE_HOST;
    struct run *run = TAILQ_FIRST(&command->runs);
    char program[4096], text[sizeof(program)];
    int r;

    if (!run || run->child)
        return;
    r = program_find(name, program, sizeof(program));
    if (r < 0)
        (void)snprintf(text, sizeof(text), "cannot run %.2048s: %s",
                       name[0] ? name : "a program (device_host.argv is empty)",
                       strerrordesc_np(-r));
    else {
        r = run_start(run, program);
        (void)snprintf(text, sizeof(text), "cannot start %.2048s: %s", program,
                       strerrordesc_np(-r));
    }
    if (r < 0)
        finish(run, -r, text);
}

static int on_start(sd_event_source *source, void *userdata)
{
    struct device_command *command = userdata;

    (void)source;
    if (!command->is_up) {
        command->is_up = true;
        command->host.events.up(command->host.userdata);
    } else {
        begin_next(command);
    }
    return 0;
}

/* @param document  consumed; @param options NULL for a removal */
static int enqueue(struct device_host *host, const char *verb, const char *name,
                   const char *options, struct json_object *document,
                   struct device_operation *operation)
{
    struct device_command *command = (struct device_command *)host;
    struct run *run = calloc(1, sizeof(*run));

    if (!command->is_up) {
        json_object_put(document);
        free(run);
        return -ENOTCONN;
    }
    if (run) {
        run->name = strdup(name);
        run->options = options ? strdup(options) : NULL;
    }
    if (!run || !document || !run->name || (options && !run->options)) {
        json_object_put(document);
        if (run) {
            free(run->name);
            free(run->options);
        }
        free(run);
        return -ENOMEM;
    }
    run->command = command;
    run->operation = operation;
    run->verb = verb;
    run->document = document;
    operation->driver_data = run;
    operation->canceled = on_canceled;
    TAILQ_INSERT_TAIL(&command->runs, run, of_all);
    return sd_event_source_set_enabled(command->start, SD_EVENT_ONESHOT) < 0 ? -EIO : 0;
}

static int add_share(struct device_host *host, const struct device_share *share,
                     struct device_operation *operation)
{
    return enqueue(host, "add-share", share->tag, share->options,
                   device_command_message_share(host->vm, "add-share", share), operation);
}

static int remove_share(struct device_host *host, const char *tag,
                        struct device_operation *operation)
{
    return enqueue(host, "remove-share", tag, NULL,
                   device_command_message_removal(host->vm, "remove-share", "share", "tag", tag),
                   operation);
}

static int add_adapter(struct device_host *host, const struct device_adapter *adapter,
                       struct device_operation *operation)
{
    return enqueue(host, "add-net", adapter->network->id, adapter->options,
                   device_command_message_adapter(host->vm, "add-net", adapter), operation);
}

static int remove_adapter(struct device_host *host, const char *id,
                          struct device_operation *operation)
{
    return enqueue(host, "remove-net", id, NULL,
                   device_command_message_removal(host->vm, "remove-net", "adapter", "id", id),
                   operation);
}

static bool is_up(const struct device_host *host)
{
    return ((const struct device_command *)host)->is_up;
}

static struct device_host *command_free(struct device_host *host)
{
    struct device_command *command = (struct device_command *)host;

    device_host_done(host);
    sd_event_source_disable_unref(command->start);
    free(command);
    return NULL;
}

int device_command_new(sd_event *event, const struct config_vm *vm,
                       const struct device_host_events *events, void *userdata,
                       struct device_host **ret_host)
{
    static const struct device_driver driver = {
        .add_share = add_share,
        .remove_share = remove_share,
        .add_adapter = add_adapter,
        .remove_adapter = remove_adapter,
        .is_up = is_up,
        .free = command_free,
    };
    struct device_command *command = calloc(1, sizeof(*command));
    int r;

    if (!command)
        return -ENOMEM;
    TAILQ_INIT(&command->runs);
    device_host_init(&command->host, &driver, event, vm, events, userdata);
    r = sd_event_add_defer(event, &command->start, on_start, command);
    if (r < 0) {
        (void)command_free(&command->host);
        return r;
    }
    *ret_host = &command->host;
    return 0;
}
