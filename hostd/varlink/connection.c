/*
 * varlink connection: reads until a NUL, has the call answered, and only then looks at the next.
 *
 * Nothing here frees the connection while a caller of varlink_call_…() still stands on it: what
 * ends it is noted in `ending` and done from the event loop.
 */
#include "connection.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes read at once, and what a buffer begins with. */
#define CHUNK 4096u

struct varlink_call {
    struct varlink_connection *connection;
    bool open; /* waits for its (last) reply */
    bool oneway;
    bool was_full;
    void (*closed)(void *userdata);
    void (*drained)(void *userdata);
    void *userdata;
};

struct varlink_connection {
    int fd;
    sd_event_source *io;
    sd_event_source *idle;
    sd_event_source *again; /* runs what must not run from inside a call */
    const struct varlink_connection_events *events;
    void *userdata;
    struct bytes in, out;
    struct varlink_call call;
    bool hung_up; /* the client sends no more */
    bool ending;
    struct varlink_connection *next;
};

static bool reserve(struct bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity == 0 ? CHUNK : bytes->capacity;

    while (capacity - bytes->size < more)
        capacity *= 2;
    return bytes_reserve(bytes, capacity) == 0;
}

static void run_again(struct varlink_connection *connection)
{
    (void)sd_event_source_set_enabled(connection->again, SD_EVENT_ONESHOT);
}

static void end(struct varlink_connection *connection)
{
    connection->ending = true;
    run_again(connection);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    end(userdata);
    return 0;
}

/* An open call may take as long as it takes, unless its replies are not read. */
static void watch(struct varlink_connection *connection)
{
    bool writing = connection->out.size > connection->out.sent;
    uint32_t wanted = 0;

    if (writing)
        wanted |= EPOLLOUT;
    if (!connection->hung_up && connection->in.size < VARLINK_MESSAGE_BYTES + 1)
        wanted |= EPOLLIN;
    (void)sd_event_source_set_io_events(connection->io, wanted);
    if (connection->call.open && !writing)
        clock_disarm(connection->idle);
    else
        (void)clock_arm(sd_event_source_get_event(connection->io), &connection->idle,
                        VARLINK_IDLE_MS, on_idle, connection);
}

static void flush(struct varlink_connection *connection)
{
    if (bytes_send(&connection->out, connection->fd) < 0)
        end(connection);
    if (!connection->ending)
        watch(connection);
}

static bool is_full(const struct varlink_connection *connection)
{
    return connection->out.size - connection->out.sent > VARLINK_OUTPUT_FULL;
}

/* A reader that is always a little behind never empties the buffer: what it has read leaves the
 * front as soon as that is the larger part, so that the buffer holds what waits and not what went
 * by, at the cost of one copy of each byte. */
static void drop_sent(struct bytes *out)
{
    if (out->sent > out->size - out->sent)
        bytes_drop_sent(out);
}

/* Three parts, so that text of somebody else's is not copied twice; the NUL is put here. */
static void put(struct varlink_connection *connection, const char *head, const char *body,
                size_t body_size, const char *tail)
{
    const char *const parts[] = {head, body, tail};
    size_t sizes[] = {strlen(head), body_size, strlen(tail) + 1};
    struct bytes *out = &connection->out;

    if (connection->ending)
        return;
    drop_sent(out);
    if (out->size - out->sent + body_size > VARLINK_OUTPUT_BYTES ||
        !reserve(out, sizes[0] + sizes[1] + sizes[2])) {
        end(connection);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        memcpy(out->data + out->size, parts[i], sizes[i]);
        out->size += sizes[i];
    }
    flush(connection);
}

static void finish_call(struct varlink_call *call)
{
    *call = (struct varlink_call){.connection = call->connection};
    run_again(call->connection); /* the next message may be here already */
}

static void reply(struct varlink_call *call, const char *error, struct json_object *parameters,
                  bool continues)
{
    struct json_object *message = varlink_message_reply(error, parameters, continues);
    const char *text = NULL;
    size_t size = 0;

    if (message != NULL)
        text = json_object_to_json_string_length(message, JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (text == NULL)
        end(call->connection);
    else if (!call->oneway)
        put(call->connection, "", text, size, "");
    json_object_put(message);
    json_object_put(parameters);
    if (!continues)
        finish_call(call);
}

void varlink_call_reply(struct varlink_call *call, struct json_object *parameters, bool continues)
{
    reply(call, NULL, parameters, continues);
}

void varlink_call_reply_member(struct varlink_call *call, const char *key, const char *value,
                               size_t size)
{
    char head[64];

    (void)snprintf(head, sizeof(head), "{\"parameters\":{\"%s\":", key);
    if (!call->oneway)
        put(call->connection, head, value, size, "},\"continues\":true}");
}

void varlink_call_fail(struct varlink_call *call, const char *error, struct json_object *parameters)
{
    reply(call, error, parameters, false);
}

void varlink_call_invalid(struct varlink_call *call, const char *parameter)
{
    reply(call, "org.varlink.service.InvalidParameter", json_texts("parameter", parameter, NULL),
          false);
}

int varlink_call_upgrade(struct varlink_call *call)
{
    struct varlink_connection *connection = call->connection;
    int fd = -EPIPE;

    varlink_call_watch(call, NULL, NULL, NULL);
    reply(call, NULL, NULL, false);
    /* What is sent behind the call and before the answer belongs to neither protocol. */
    if (!connection->ending && connection->out.size == 0 && connection->in.size == 0)
        fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd == -1)
        fd = -errno;
    (void)sd_event_source_set_enabled(connection->io, SD_EVENT_OFF);
    end(connection);
    return fd;
}

bool varlink_call_is_full(const struct varlink_call *call)
{
    bool full = is_full(call->connection);

    if (full)
        call->connection->call.was_full = true;
    return full;
}

void varlink_call_watch(struct varlink_call *call, void (*closed)(void *userdata),
                        void (*drained)(void *userdata), void *userdata)
{
    call->closed = closed;
    call->drained = drained;
    call->userdata = userdata;
}

static void handle(struct varlink_connection *connection, struct varlink_message *message)
{
    struct varlink_call *call = &connection->call;

    *call =
        (struct varlink_call){.connection = connection, .open = true, .oneway = message->oneway};
    if (message->parameters == NULL) {
        message->parameters = json_object_new_object();
        json_object_object_add(message->root, "parameters", message->parameters);
    }
    connection->events->called(connection->userdata, call, message);
}

/* @return false if there is no whole message, or a call is open already */
static bool take_message(struct varlink_connection *connection)
{
    struct bytes *in = &connection->in;
    struct varlink_message message = VARLINK_MESSAGE_NULL;
    char *nul = in->size == 0 ? NULL : memchr(in->data, '\0', in->size);
    size_t size;

    if (connection->call.open || connection->ending)
        return false;
    if (nul == NULL) {
        if (in->size > VARLINK_MESSAGE_BYTES ||
            (connection->hung_up && connection->out.size == connection->out.sent))
            end(connection);
        return false;
    }
    size = (size_t)(nul - in->data);
    if (varlink_message_parse(in->data, size, &message) != 0) {
        end(connection);
        return false;
    }
    memmove(in->data, nul + 1, in->size - size - 1);
    in->size -= size + 1;
    handle(connection, &message);
    varlink_message_done(&message);
    return true;
}

static int on_again(sd_event_source *source, void *userdata)
{
    struct varlink_connection *connection = userdata;

    (void)source;
    while (take_message(connection))
        ;
    if (connection->ending)
        connection->events->closed(connection->userdata, connection);
    else
        watch(connection);
    return 0;
}

static void receive(struct varlink_connection *connection)
{
    struct bytes *in = &connection->in;
    ssize_t n;

    if (!reserve(in, CHUNK)) {
        end(connection);
        return;
    }
    n = recv(connection->fd, in->data + in->size, in->capacity - in->size, MSG_DONTWAIT);
    if (n > 0)
        in->size += (size_t)n;
    else if (n == 0)
        connection->hung_up = true;
    else if (errno != EAGAIN && errno != EINTR)
        end(connection);
    run_again(connection);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct varlink_connection *connection = userdata;
    struct varlink_call *call = &connection->call;

    (void)source;
    (void)fd;
    if ((revents & (EPOLLERR | EPOLLHUP)) != 0 && (revents & EPOLLIN) == 0)
        end(connection);
    if ((revents & EPOLLOUT) != 0) {
        flush(connection);
        run_again(connection);
    }
    if (call->was_full && !is_full(connection)) {
        call->was_full = false;
        if (call->drained != NULL)
            call->drained(call->userdata);
    }
    if ((revents & EPOLLIN) != 0)
        receive(connection);
    return 0;
}

int varlink_connection_new(sd_event *event, int fd, const struct varlink_connection_events *events,
                           void *userdata, struct varlink_connection **ret_connection)
{
    struct varlink_connection *connection = calloc(1, sizeof(*connection));
    int r;

    if (connection == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    connection->fd = fd;
    connection->events = events;
    connection->userdata = userdata;
    connection->call.connection = connection;
    r = sd_event_add_io(event, &connection->io, fd, EPOLLIN, on_io, connection);
    if (r >= 0)
        r = sd_event_add_defer(event, &connection->again, on_again, connection);
    if (r >= 0)
        r = sd_event_source_set_enabled(connection->again, SD_EVENT_OFF);
    if (r >= 0)
        r = clock_arm(event, &connection->idle, VARLINK_IDLE_MS, on_idle, connection);
    if (r < 0) {
        (void)varlink_connection_free(connection);
        return r;
    }
    *ret_connection = connection;
    return 0;
}

struct varlink_connection *varlink_connection_free(struct varlink_connection *connection)
{
    struct varlink_call call;

    if (connection == NULL)
        return NULL;
    call = connection->call;
    connection->call.open = false;
    if (call.open && call.closed != NULL)
        call.closed(call.userdata);
    sd_event_source_disable_unref(connection->io);
    sd_event_source_disable_unref(connection->idle);
    sd_event_source_disable_unref(connection->again);
    (void)close(connection->fd);
    bytes_clear(&connection->in);
    bytes_clear(&connection->out);
    free(connection);
    return NULL;
}

struct varlink_connection **varlink_connection_next(struct varlink_connection *connection)
{
    return &connection->next;
}
