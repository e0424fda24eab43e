/*
 * command exec: a command in the guest with our standard streams.
 *
 * One connection carries the output; a second one the input, a piece at a time, each answered
 * before the next is read, so that what the guest does not take stays in our standard input. With
 * -t, our terminal is the command's from its start to its end.
 */
#include "base/base64.h"
#include "client.h"
#include "command.h"
#include "exec_params.h"
#include "output.h"
#include "protocol/limits.h"
#include "say.h"
#include "signal_watch.h"
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define STATUS_FAILED EXEC_PARAMS_FAILED

/* Well before the daemon's VARLINK_IDLE_MS. */
#define INPUT_IDLE_S 10

/* Replies that are handled before our keys and signals have their turn: a Ctrl-C must get through
 * output without end. */
#define REPLIES_PER_TURN 8

struct session {
    const struct options *options;
    const char *program;
    struct client *output, *input;
    int signals;
    int terminal;              /* terminal_watch(), or -1: it has none */
    struct terminal_size size; /* as told */
    bool started, stdin_open;
    bool writing;   /* a piece of input waits for its answer */
    time_t written; /* when input was last passed on */
    uint32_t process;
    int interrupts; /* since the start */
    int status;     /* -1: it runs */
};

static void pass_signal(struct session *session);

/* The reader of our output went away, which is its right; everything else is told. */
static void fail_output(struct session *session, int fd, int error)
{
    if (error == EPIPE) {
        session->status = 128 + SIGPIPE;
        return;
    }
    terminal_leave();
    say_error("cannot write the command's output to standard %s: %s; disconnecting from the "
              "command, which gets SIGHUP",
              fd == STDERR_FILENO ? "error" : "output", strerror(error));
    session->status = STATUS_FAILED;
}

/* Our signals are heeded while a reader takes its time. EBADF: the descriptor was closed by the
 * program that started us, and does not want what would go there. */
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

static struct json_object *process_params(const struct session *session)
{
    struct json_object *params = json_object_new_object();

    json_add_number(params, "process", session->process);
    return params;
}

/* Tells the command the size of our terminal, if that is another one than it knows. */
static void pass_size(struct session *session)
{
    struct terminal_size size = terminal_size();
    struct json_object *params, *reply;

    if (!session->started ||
        (size.rows == session->size.rows && size.columns == session->size.columns))
        return;
    params = process_params(session);
    exec_params_add_size(params, size);
    reply = client_ask(session->options->socket, "ResizeTerminal", params);
    if (reply != NULL)
        session->size = size;
    json_object_put(reply);
}

static void enter_terminal(struct session *session)
{
    int r = terminal_enter();

    if (r < 0) {
        say_error("cannot make the terminal raw: %s; leaving the command, which gets SIGHUP",
                  strerror(-r));
        session->status = STATUS_FAILED;
        return;
    }
    pass_size(session);
}

/* SIGWINCH, SIGTSTP, SIGCONT. */
static void take_terminal_signal(struct session *session)
{
    struct signalfd_siginfo info;

    if (read(session->terminal, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGTSTP)
        terminal_stop();
    else if (info.ssi_signo == SIGCONT && session->started)
        enter_terminal(session); /* another program may have changed its mode meanwhile */
    else
        pass_size(session);
}

static void take_started(struct session *session, struct json_object *reply)
{
    session->started = true;
    session->process = (uint32_t)command_number(reply, "process");
    if (session->terminal >= 0)
        enter_terminal(session);
}

static void take_reply(struct session *session, struct json_object *reply, bool is_last)
{
    if (session->options->json)
        pass_json(session, reply);
    if (json_member(reply, "process") != NULL)
        take_started(session, reply);
    if (json_member(reply, "data") != NULL && !session->options->json)
        pass_output(session, reply);
    if (command_text(reply, "error")[0] != '\0') {
        terminal_leave();
        say_error("%s: %s", session->program, command_text(reply, "error"));
    }
    if (is_last && session->status < 0)
        session->status = (int)command_number(reply, "status");
}

/* @return true: there may be more, which poll(2) does not see */
static bool take_output(struct session *session)
{
    for (unsigned i = 0; i < REPLIES_PER_TURN && session->status < 0; i++) {
        struct json_object *reply = NULL;
        int r = client_receive(session->output, 0, &reply);

        if (r == -EAGAIN)
            return false;
        if (r >= 0) {
            take_reply(session, reply, r == 1);
            json_object_put(reply);
            continue;
        }
        terminal_leave();
        say_error("%s", client_error(session->output, r));
        session->status = STATUS_FAILED;
    }
    return true;
}

static void stop_input(struct session *session)
{
    session->stdin_open = false;
    session->input = client_free(session->input);
}

/* The daemon closes a connection on which nothing is asked for half a minute: one that was idle for
 * a while is created again, before there is anything that could be lost with it. */
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
    if (n <= 0 && session->terminal >= 0) { /* it was hung up on us, and so are we on the command */
        session->status = 128 + SIGHUP;
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

/* The command gets our signals; a third of them ends us, should it not care. With a terminal its
 * own come as keys, and ours end us at once. */
static void pass_signal(struct session *session)
{
    struct json_object *params;
    struct signalfd_siginfo info;

    if (read(session->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (!session->started || session->terminal >= 0 || ++session->interrupts >= 3)
        session->status = 128 + (int)info.ssi_signo;
    if (!session->started || session->terminal >= 0)
        return;
    params = process_params(session);
    json_add_number(params, "signal", info.ssi_signo);
    json_object_put(client_ask(session->options->socket, "SendSignal", params));
}

static int run(struct session *session)
{
    bool more = false;

    while (session->status < 0) {
        struct pollfd pollers[] = {
            {.fd = client_fd(session->output), .events = POLLIN},
            {.fd = session->signals, .events = POLLIN},
            {.fd = session->writing && session->input != NULL ? client_fd(session->input) : -1,
             .events = POLLIN},
            {.fd = session->started && session->stdin_open && !session->writing ? STDIN_FILENO : -1,
             .events = POLLIN},
            {.fd = session->options->stop, .events = POLLIN},
            {.fd = session->terminal, .events = POLLIN},
        };

        if (poll(pollers, sizeof(pollers) / sizeof(pollers[0]), more ? 0 : -1) < 0 &&
            errno != EINTR)
            return STATUS_FAILED;
        if (pollers[4].revents != 0)
            return STATUS_FAILED; /* whose it is says why */
        if (pollers[1].revents != 0)
            pass_signal(session);
        if (pollers[5].revents != 0)
            take_terminal_signal(session);
        if (pollers[2].revents != 0)
            take_written(session);
        if (pollers[3].revents != 0)
            pass_input(session);
        if (pollers[0].revents != 0 || more)
            more = take_output(session);
    }
    return session->status;
}

int command_exec(const struct options *options, char **words)
{
    struct session session = {.options = options,
                              .program = words[1][0] != '\0' ? words[1] : "\"\"",
                              .terminal = -1,
                              .size = terminal_size(),
                              .status = -1};
    struct json_object *params = NULL;
    int status = exec_params_make(options, words, &params), r;

    if (status != 0)
        return status;
    session.stdin_open = (options->given & OPTIONS_NO_INPUT) == 0;
    session.signals = signal_watch();
    if ((options->given & OPTIONS_TERMINAL) != 0)
        session.terminal = terminal_watch();
    if (client_new(options->socket, &session.output) != 0) {
        json_object_put(params);
        return STATUS_FAILED;
    }
    if (session.stdin_open && client_new(options->socket, &session.input) != 0)
        session.stdin_open = false;
    r = client_send(session.output, "Exec", params, CLIENT_MORE);
    status = r < 0 ? STATUS_FAILED : run(&session);
    terminal_leave();
    if (r < 0)
        say_error("%s", client_error(session.output, r));
    (void)client_free(session.output);
    (void)client_free(session.input);
    if (session.signals >= 0)
        (void)close(session.signals);
    if (session.terminal >= 0)
        (void)close(session.terminal);
    return status;
}
