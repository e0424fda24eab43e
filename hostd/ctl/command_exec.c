/*
 * command exec: a command in the guest with our standard streams.
 *
 * One connection carries the output; a second one the input, a piece at a time, each answered
 * before the next is read, so that what the guest does not take stays in our standard input.
 */
#include "base/base64.h"
#include "client.h"
#include "command.h"
#include "output.h"
#include "protocol/limits.h"
#include "say.h"
#include "signal_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* What container runtimes say when the failure is their own. */
#define STATUS_FAILED 125

/* Well before the daemon's VARLINK_IDLE_MS. */
#define INPUT_IDLE_S 10

struct session {
    const struct options *options;
    const char *program;
    struct client *output, *input;
    int signals;
    bool started, stdin_open;
    bool writing;   /* a piece of input waits for its answer */
    time_t written; /* when input was last passed on */
    uint32_t process;
    int interrupts; /* since the start */
    int status;     /* -1: it runs */
};

/* What does not fit into the daemon's message to the guest is said before it is sent. */
static bool check_size(const struct options *options, char **argv)
{
    size_t bytes = options->directory != NULL ? strlen(options->directory) : 0;

    for (char **word = argv; *word != NULL; word++)
        bytes += strlen(*word) + 2;
    for (size_t i = 0; i < options->environment.count; i++)
        bytes += strlen(options->environment.items[i]) + 2;
    if (bytes <= LIMITS_WORDS_BYTES)
        return true;
    say_error("cannot pass on %zu bytes of words and variables (2 more for each): expected at most "
              "%u; nothing is started; give the command its data by standard input or a share",
              bytes, LIMITS_WORDS_BYTES);
    return false;
}

static struct json_object *make_params(const struct options *options, char **words)
{
    struct json_object *params = command_vm_params(words[0]), *argv = json_object_new_array();
    struct json_object *environment = json_object_new_array();

    for (char **word = words + 1; *word != NULL; word++)
        json_object_array_add(argv, json_object_new_string(*word));
    for (size_t i = 0; i < options->environment.count; i++)
        json_object_array_add(environment, json_object_new_string(options->environment.items[i]));
    json_object_object_add(params, "argv", argv);
    json_object_object_add(params, "environment", environment);
    if (options->directory != NULL)
        json_add_text(params, "directory", options->directory);
    json_add_number(params, "uid", options->uid);
    json_add_number(params, "gid", options->gid);
    json_add_flag(params, "input", (options->given & OPTIONS_NO_INPUT) == 0);
    return params;
}

static void pass_signal(struct session *session);

/* The reader of our output went away, which is its right; everything else is told. */
static void fail_output(struct session *session, int fd, int error)
{
    if (error == EPIPE) {
        session->status = 128 + SIGPIPE;
        return;
    }
    say_error("cannot write the command's output to standard %s: %s; leaving the command, which "
              "gets SIGHUP",
              fd == STDERR_FILENO ? "error" : "output", strerror(error));
    session->status = STATUS_FAILED;
}

/* Our signals are heeded while a reader takes its time. EBADF: the descriptor was closed by whoever
 * started us, and does not want what would go there. */
static void write_all(struct session *session, int fd, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    while (size > 0 && session->status < 0) {
        ssize_t n = output_write(fd, bytes, size, session->signals);

        if (n == -EBADF)
            return;
        if (n < 0) {
            fail_output(session, fd, (int)-n);
            return;
        }
        bytes += n;
        size -= (size_t)n;
        if (size > 0)
            pass_signal(session);
    }
}

static void pass_output(struct session *session, struct json_object *reply)
{
    const char *text = command_text(reply, "data");
    int fd = strcmp(command_text(reply, "stream"), "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO;
    size_t capacity = strlen(text) / 4 * 3, size = 0;
    uint8_t *data = malloc(capacity + 1);

    if (data == NULL || base64_decode(text, data, capacity, &size) < 0)
        fail_output(session, fd, data == NULL ? ENOMEM : EBADMSG);
    else
        write_all(session, fd, data, size);
    free(data);
}

static void pass_json(struct session *session, struct json_object *reply)
{
    size_t size;
    const char *text =
        json_object_to_json_string_length(reply, JSON_C_TO_STRING_NOSLASHESCAPE, &size);

    write_all(session, STDOUT_FILENO, text, size);
    write_all(session, STDOUT_FILENO, "\n", 1);
}

static void take_output(struct session *session)
{
    struct json_object *reply = NULL;
    int r;

    while (session->status < 0 && (r = client_receive(session->output, 0, &reply)) != -EAGAIN) {
        if (r < 0) {
            say_error("%s", client_error(session->output, r));
            session->status = STATUS_FAILED;
            return;
        }
        if (session->options->json)
            pass_json(session, reply);
        if (json_member(reply, "process") != NULL) {
            session->started = true;
            session->process = (uint32_t)command_number(reply, "process");
        }
        if (json_member(reply, "data") != NULL && !session->options->json)
            pass_output(session, reply);
        if (command_text(reply, "error")[0] != '\0')
            say_error("%s: %s", session->program, command_text(reply, "error"));
        if (r == 1 && session->status < 0)
            session->status = (int)command_number(reply, "status");
        json_object_put(reply);
        reply = NULL;
    }
}

static struct json_object *process_params(const struct session *session)
{
    struct json_object *params = json_object_new_object();

    json_add_number(params, "process", session->process);
    return params;
}

static void stop_input(struct session *session)
{
    session->stdin_open = false;
    session->input = client_free(session->input);
}

/* The daemon closes a connection on which nothing is asked for half a minute: one that was idle for
 * a while is made anew, before there is anything that could be lost with it. */
static bool renew_input(struct session *session)
{
    time_t before = session->written;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    session->written = now.tv_sec;
    if (now.tv_sec - before < INPUT_IDLE_S)
        return true;
    session->input = client_free(session->input);
    return client_new(session->options->socket, &session->input) == 0;
}

static void pass_input(struct session *session)
{
    struct json_object *params = process_params(session);
    char text[BASE64_SIZE(LIMITS_STREAM_CHUNK) + 1];
    uint8_t data[LIMITS_STREAM_CHUNK];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        json_object_put(params);
        return;
    }
    (void)base64_encode(data, n > 0 ? (size_t)n : 0, text);
    json_add_text(params, "data", text);
    session->stdin_open = n > 0;
    session->writing = true;
    if (!renew_input(session)) {
        json_object_put(params);
        stop_input(session);
        return;
    }
    if (client_send(session->input, "WriteInput", params, CLIENT_ONE) < 0)
        stop_input(session);
}

/* A command that ended, or closed its input, takes no more: no error, as for a pipe's reader. */
static void take_written(struct session *session)
{
    struct json_object *reply = NULL;
    int r = client_receive(session->input, 0, &reply);

    if (r == -EAGAIN)
        return;
    session->writing = false;
    json_object_put(reply);
    if (r < 0 || !session->stdin_open)
        stop_input(session);
}

/* The command gets our signals; a third of them ends us, should it not care. */
static void pass_signal(struct session *session)
{
    struct json_object *params;
    struct signalfd_siginfo info;

    if (read(session->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (!session->started || ++session->interrupts >= 3)
        session->status = 128 + (int)info.ssi_signo;
    if (!session->started)
        return;
    params = process_params(session);
    json_add_number(params, "signal", info.ssi_signo);
    json_object_put(client_ask(session->options->socket, "SendSignal", params));
}

static int run(struct session *session)
{
    while (session->status < 0) {
        struct pollfd pollers[] = {
            {.fd = client_fd(session->output), .events = POLLIN},
            {.fd = session->signals, .events = POLLIN},
            {.fd = session->writing && session->input != NULL ? client_fd(session->input) : -1,
             .events = POLLIN},
            {.fd = session->started && session->stdin_open && !session->writing ? STDIN_FILENO : -1,
             .events = POLLIN},
            {.fd = session->options->stop, .events = POLLIN},
        };

        if (poll(pollers, sizeof(pollers) / sizeof(pollers[0]), -1) < 0 && errno != EINTR)
            return STATUS_FAILED;
        if (pollers[4].revents != 0)
            return STATUS_FAILED; /* whose it is says why */
        if (pollers[1].revents != 0)
            pass_signal(session);
        if (pollers[2].revents != 0)
            take_written(session);
        if (pollers[3].revents != 0)
            pass_input(session);
        if (pollers[0].revents != 0)
            take_output(session);
    }
    return session->status;
}

int command_exec(const struct options *options, char **words)
{
    struct session session = {.options = options,
                              .program = words[1][0] != '\0' ? words[1] : "\"\"",
                              .signals = signal_watch(),
                              .status = -1};
    int status = STATUS_FAILED, r;

    if (!check_size(options, words + 1))
        return STATUS_FAILED;
    session.stdin_open = (options->given & OPTIONS_NO_INPUT) == 0;
    if (client_new(options->socket, &session.output) != 0)
        return STATUS_FAILED;
    if (session.stdin_open && client_new(options->socket, &session.input) != 0)
        session.stdin_open = false;
    r = client_send(session.output, "Exec", make_params(options, words), CLIENT_MORE);
    if (r < 0)
        say_error("%s", client_error(session.output, r));
    else
        status = run(&session);
    (void)client_free(session.output);
    (void)client_free(session.input);
    if (session.signals >= 0)
        (void)close(session.signals);
    return status;
}
