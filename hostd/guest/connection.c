/*
 * connection: frames over one connected socket, with a bound on what it may make the daemon hold.
 *
 * Bytes are read onto the stack; only the rest of a frame that is not whole yet moves to the heap.
 * Frames that are sent while a wake-up is being served leave in one write at its end. Ends are told
 * from the event loop alone, so that a sender need not expect the connection to vanish.
 */
#include "connection.h"

#include "base/bytes.h"
#include "base/limits.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    uint32_t limit;
    sd_event_source *source;
    sd_event_source *ending; /* tells the end */
    const struct connection_events *events;
    void *userdata;
    struct daemon_counters *counters;
    struct bytes in;  /* the beginning of a frame that is not whole */
    struct bytes out; /* what the socket has not taken yet */
    bool *gone;       /* set when it is freed while a wake-up is being served */
    bool corked;
    bool paused;
    bool writable; /* waits for EPOLLOUT */
    bool ended;
    enum connection_end end;
    int error;
};

/* Gives back what was reserved beyond the bytes that there are. */
static void shrink(struct bytes *bytes)
{
    char *data = bytes->size > 0 ? realloc(bytes->data, bytes->size) : NULL;

    if (!data)
        return;
    bytes->data = data;
    bytes->capacity = bytes->size;
}

bool connection_has_hung_up(const struct connection *connection)
{
    struct pollfd poller = {.fd = connection->fd, .events = POLLRDHUP};

    return connection->ended || poll(&poller, 1, 0) > 0;
}

size_t connection_held(const struct connection *connection)
{
    return connection->in.capacity + connection->out.capacity;
}

/* Told once; the connection may be freed by it. */
static int on_ending(sd_event_source *source, void *userdata)
{
    struct connection *connection = userdata;

    (void)source;
    connection->events->ended(connection->userdata, connection->end, connection->error);
    return 0;
}

/* A caller that is sending does not lose the connection: the loop tells its end later, on_io() if
 * it is at work. */
static void end(struct connection *connection, enum connection_end how, int error)
{
    if (connection->ended)
        return;
    connection->ended = true;
    connection->end = how;
    connection->error = error;
    (void)sd_event_source_set_enabled(connection->source, SD_EVENT_OFF);
    if (!connection->corked)
        (void)sd_event_source_set_enabled(connection->ending, SD_EVENT_ONESHOT);
}

/*
 * Asks to be told of what is there and of what comes, once; so this is called again after each
 * wake-up. The loop serves one source a turn: asked to tell what stays ready, the kernel would tell
 * all of a thousand busy guests in each turn, and every guest would cost a thousand.
 */
static void watch(struct connection *connection)
{
    uint32_t events = (connection->paused ? 0u : EPOLLIN) |
                      (connection->writable ? (uint32_t)EPOLLOUT : 0u) | (uint32_t)EPOLLET;

    (void)sd_event_source_set_io_events(connection->source, events);
}

/* Writes what waits, as far as the socket takes it. */
static void flush(struct connection *connection)
{
    struct bytes *out = &connection->out;
    ssize_t n = bytes_send(out, connection->fd);

    if (n < 0) {
        end(connection, CONNECTION_END_PEER, (int)-n);
        return;
    }
    connection->counters->bytes_out += (uint64_t)n;
    if (connection->writable != (out->size > 0)) {
        connection->writable = out->size > 0;
        watch(connection);
    }
}

/* Makes room for @p size more bytes to be sent. */
static int reserve_out(struct connection *connection, size_t size)
{
    struct bytes *out = &connection->out;
    size_t capacity = out->capacity;
    int r;

    bytes_drop_sent(out);
    if (out->size + size + connection->in.capacity > connection->limit) {
        end(connection, CONNECTION_END_SLOW, 0);
        return -ENOBUFS;
    }
    /* doubling, as far as the bound allows */
    if (out->size + size > capacity)
        capacity = 2 * capacity > out->size + size ? 2 * capacity : out->size + size;
    if (capacity + connection->in.capacity > connection->limit)
        capacity = connection->limit - connection->in.capacity;
    r = bytes_reserve(out, capacity);
    if (r < 0)
        end(connection, CONNECTION_END_MEMORY, ENOMEM);
    return r;
}

int connection_send(struct connection *connection, uint16_t type, uint16_t flags, uint32_t id,
                    const void *payload, size_t size)
{
    struct wire_writer writer;
    size_t start;
    int r;

    if (connection->ended)
        return -ENOTCONN;
    if (size > FRAME_PAYLOAD_MAX)
        return -EMSGSIZE;
    r = reserve_out(connection, FRAME_HEADER_SIZE + size);
    if (r < 0)
        return r;
    writer = (struct wire_writer){.data = (uint8_t *)connection->out.data,
                                  .capacity = connection->out.capacity,
                                  .size = connection->out.size};
    start = frame_begin(&writer, type, flags, id);
    wire_put_bytes(&writer, payload, size);
    r = frame_end(&writer, start);
    if (r < 0)
        return r;
    connection->out.size = writer.size;
    connection->counters->frames_out++;
    if (!connection->corked && !connection->writable)
        flush(connection);
    return 0;
}

/*
 * Tells every whole frame at the start of @p data.
 *
 * @param ret_need  bytes that there must be, of what is left, before asking again has a point
 * @return bytes taken, or -1: the connection is gone or has ended
 */
static ssize_t tell_frames(struct connection *connection, const uint8_t *data, size_t size,
                           const bool *gone, size_t *ret_need)
{
    size_t taken = 0;

    *ret_need = FRAME_HEADER_SIZE;
    while (taken < size) {
        struct frame frame;
        size_t need;
        int r = frame_decode(data + taken, size - taken, &frame, &need);

        if (r == FRAME_E_MORE) {
            *ret_need = need;
            break;
        }
        if (r != 0) {
            end(connection, r == FRAME_E_MAGIC ? CONNECTION_END_MAGIC : CONNECTION_END_LENGTH, 0);
            return -1;
        }
        taken += need;
        connection->counters->frames_in++;
        connection->events->frame(connection->userdata, &frame);
        if (*gone || connection->ended)
            return -1;
    }
    return (ssize_t)taken;
}

/* Makes sure that a frame of @p need bytes can be held. @return false: the connection has ended */
static bool reserve_in(struct connection *connection, size_t need)
{
    if (need + connection->out.capacity > connection->limit)
        shrink(&connection->out);
    if (need + connection->out.capacity > connection->limit) {
        end(connection, CONNECTION_END_SLOW, 0);
        return false;
    }
    if (bytes_reserve(&connection->in, need) < 0) {
        end(connection, CONNECTION_END_MEMORY, ENOMEM);
        return false;
    }
    return true;
}

/* Keeps @p rest bytes behind @p taken of what was read, the start of a frame of @p need bytes, for
 * the next wake-up. @p stack is where it was read to, or NULL: `in` itself. */
static void keep_rest(struct connection *connection, const uint8_t *stack, size_t taken,
                      size_t rest, size_t need)
{
    struct bytes *in = &connection->in;

    if (rest == 0) {
        bytes_clear(in);
        return;
    }
    if (!stack)
        memmove(in->data, in->data + taken, rest);
    in->size = stack ? 0 : rest;
    if (!reserve_in(connection, need))
        return;
    if (stack)
        memcpy(in->data, stack + taken, rest);
    in->size = rest;
}

/* One read: onto the stack if nothing is pending, else behind what is. */
static void on_bytes(struct connection *connection, const bool *gone)
{
    uint8_t stack[LIMITS_READ_CHUNK];
    struct bytes *in = &connection->in;
    bool pending = in->size > 0;
    uint8_t *data = pending ? (uint8_t *)in->data : stack;
    size_t room = pending ? in->capacity - in->size : sizeof(stack);
    size_t size, need;
    ssize_t n, taken;

    n = recv(connection->fd, data + (pending ? in->size : 0), room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(connection, CONNECTION_END_PEER, n < 0 ? errno : 0);
        return;
    }
    connection->counters->bytes_in += (uint64_t)n;
    size = (size_t)n + (pending ? in->size : 0);
    taken = tell_frames(connection, data, size, gone, &need);
    if (taken >= 0)
        keep_rest(connection, pending ? NULL : stack, (size_t)taken, size - (size_t)taken, need);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct connection *connection = userdata;
    uint32_t over = EPOLLHUP | EPOLLERR;
    uint32_t readable = over | (connection->paused ? 0u : (uint32_t)(EPOLLIN | EPOLLRDHUP));
    bool gone = false;

    (void)source;
    (void)fd;
    if (revents & EPOLLOUT)
        flush(connection);
    /* a reader that is held back learns of an end when it resumes, unless all is over */
    if (connection->ended || !(revents & readable)) {
        if (!connection->ended)
            watch(connection);
        return 0;
    }
    connection->corked = true;
    connection->gone = &gone;
    on_bytes(connection, &gone);
    if (gone)
        return 0;
    if (!connection->ended && connection->out.size > 0)
        flush(connection);
    connection->gone = NULL;
    connection->corked = false;
    if (connection->ended)
        return on_ending(NULL, connection);
    watch(connection);
    return 0;
}

void connection_poll(struct connection *connection)
{
    (void)on_io(connection->source, connection->fd, EPOLLIN, connection);
}

int connection_new(sd_event *event, int fd, uint32_t limit, struct daemon_counters *counters,
                   const struct connection_events *events, void *userdata,
                   struct connection **ret_connection)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    int r;

    if (!connection) {
        (void)close(fd);
        return -ENOMEM;
    }
    *connection = (struct connection){
        .fd = fd, .limit = limit, .events = events, .userdata = userdata, .counters = counters};
    counters->open++;
    r = sd_event_add_io(event, &connection->source, fd, EPOLLIN | (uint32_t)EPOLLET, on_io,
                        connection);
    if (r >= 0)
        r = sd_event_add_defer(event, &connection->ending, on_ending, connection);
    if (r >= 0)
        r = sd_event_source_set_enabled(connection->ending, SD_EVENT_OFF);
    if (r < 0) {
        (void)connection_free(connection);
        return r;
    }
    *ret_connection = connection;
    return 0;
}

struct connection *connection_free(struct connection *connection)
{
    if (!connection)
        return NULL;
    if (connection->gone)
        *connection->gone = true;
    /* what was said last (a refusal, an acknowledgement) leaves if the socket takes it */
    if (!connection->ended && connection->out.size > connection->out.sent)
        flush(connection);
    connection->counters->open--;
    (void)sd_event_source_disable_unref(connection->source);
    (void)sd_event_source_disable_unref(connection->ending);
    (void)close(connection->fd);
    bytes_clear(&connection->in);
    bytes_clear(&connection->out);
    free(connection);
    return NULL;
}

void connection_set_events(struct connection *connection, const struct connection_events *events,
                           void *userdata)
{
    connection->events = events;
    connection->userdata = userdata;
}

bool connection_is_paused(const struct connection *connection)
{
    return connection->paused;
}

void connection_pause(struct connection *connection, bool pause)
{
    if (connection->paused == pause)
        return;
    connection->paused = pause;
    if (!connection->ended)
        watch(connection);
}
