/*
 * control connect: bytes as they are between a client and a service of a guest.
 *
 * Neither side waits for anybody else's reader: what the client does not take holds up its own
 * connection alone (exec_taken()), and of the client no more is read than the service takes.
 */
#include "control_connect.h"

#include "base/bytes.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/loopback.h"
#include "control_method.h"
#include "control_params.h"
#include "protocol/event.h"
#include "protocol/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

struct connect {
    struct control_connects *connects;
    struct varlink_call *call; /* until it is answered */
    char to[LOOPBACK_TEXT];
    struct exec *exec; /* NULL: it has ended, what is held is still passed on */
    int fd;
    sd_event_source *io;
    struct bytes out; /* to the client */
    bool out_ended;
    bool in_ended; /* of the client nothing more is read */
    bool waits;    /* for room in the guest: the chunk below has not been taken */
    size_t size;
    LIST_ENTRY(connect) of_all;
    uint8_t chunk[LIMITS_STREAM_CHUNK];
};

struct control_connects {
    struct fleet *fleet;
    LIST_HEAD(, connect) list;
};

struct control_connects *control_connects_new(struct fleet *fleet)
{
    struct control_connects *connects = calloc(1, sizeof(*connects));

    if (connects != NULL)
        connects->fleet = fleet;
    return connects;
}

static struct connect *connect_free(struct connect *connect)
{
    LIST_REMOVE(connect, of_all);
    (void)exec_free(connect->exec);
    sd_event_source_disable_unref(connect->io);
    fd_close(&connect->fd);
    bytes_clear(&connect->out);
    free(connect);
    return NULL;
}

struct control_connects *control_connects_free(struct control_connects *connects)
{
    while (connects != NULL && !LIST_EMPTY(&connects->list))
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): connect_free() takes it off the list */
        (void)connect_free(LIST_FIRST(&connects->list));
    free(connects);
    return NULL;
}

static void on_closed(void *userdata)
{
    (void)connect_free(userdata);
}

/* @param reason  for its call, if that is not answered yet */
static void drop(struct connect *connect, const char *reason)
{
    struct varlink_call *call = connect->call;

    if (call != NULL)
        varlink_call_watch(call, NULL, NULL, NULL);
    (void)connect_free(connect);
    if (call != NULL)
        control_method_fail(call, ECONNRESET, reason);
}

/* ---- to the client */

static void watch(struct connect *connect)
{
    uint32_t events = 0;

    if (connect->out.size > connect->out.sent)
        events |= EPOLLOUT;
    if (!connect->in_ended && !connect->waits)
        events |= EPOLLIN;
    (void)sd_event_source_set_io_events(connect->io, events);
}

/* @return false: it is gone, for its client is, or all has been said */
static bool flush(struct connect *connect)
{
    ssize_t n = connect->out.size > connect->out.sent ? bytes_send(&connect->out, connect->fd) : 0;
    bool empty;

    if (n < 0) {
        (void)connect_free(connect);
        return false;
    }
    bytes_drop_sent(&connect->out);
    if (n > 0 && connect->exec != NULL)
        exec_taken(connect->exec, (size_t)n);
    empty = connect->out.size == 0;
    if (empty && connect->exec == NULL) {
        (void)connect_free(connect);
        return false;
    }
    if (empty && connect->out_ended)
        (void)shutdown(connect->fd, SHUT_WR);
    watch(connect);
    return true;
}

/* More than its window a guest must not send; one that does loses the connection. */
static void on_output(void *userdata, uint16_t stream, const void *data, size_t size)
{
    struct connect *connect = userdata;
    struct bytes *out = &connect->out;

    if (stream != EVENT_STDOUT)
        return;
    if (out->size + size > LIMITS_CONNECTION_WINDOW || bytes_reserve(out, out->size + size) < 0) {
        drop(connect, "the guest sends more than it may");
        return;
    }
    if (size > 0)
        memcpy(out->data + out->size, data, size);
    out->size += size;
    connect->out_ended = size == 0;
    if (connect->fd >= 0)
        (void)flush(connect);
}

/* ---- of the client */

/* The service takes nothing more: the client is to know. */
static void end_input(struct connect *connect)
{
    connect->in_ended = true;
    connect->waits = false;
    (void)shutdown(connect->fd, SHUT_RD);
}

/* Gives the guest what was read of the client; the end is a chunk without bytes. */
static void give(struct connect *connect)
{
    int r =
        connect->exec == NULL ? -EPIPE : exec_input(connect->exec, connect->chunk, connect->size);

    connect->waits = r == -EAGAIN;
    if (r < 0 && r != -EAGAIN)
        end_input(connect);
    watch(connect);
}

static void on_input_changed(void *userdata)
{
    struct connect *connect = userdata;

    if (connect->fd < 0 || (connect->in_ended && !connect->waits))
        return;
    if (!exec_takes_input(connect->exec))
        end_input(connect);
    else if (connect->waits)
        give(connect);
    watch(connect);
}

static void take(struct connect *connect)
{
    ssize_t n = recv(connect->fd, connect->chunk, sizeof(connect->chunk), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        (void)connect_free(connect);
        return;
    }
    connect->size = (size_t)n;
    connect->in_ended = n == 0;
    give(connect);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct connect *connect = userdata;

    (void)source;
    (void)fd;
    /* It has closed both ways: nobody reads any more. */
    if ((revents & (EPOLLERR | EPOLLHUP)) != 0 && (revents & EPOLLIN) == 0) {
        (void)connect_free(connect);
        return 0;
    }
    if ((revents & EPOLLOUT) != 0 && !flush(connect))
        return 0;
    if ((revents & EPOLLIN) != 0)
        take(connect);
    return 0;
}

/* ---- its beginning and its end */

static void on_started(void *userdata)
{
    struct connect *connect = userdata;
    struct varlink_call *call = connect->call;

    connect->call = NULL;
    connect->fd = varlink_call_upgrade(call);
    if (connect->fd < 0 || sd_event_add_io(connect->connects->fleet->services.event, &connect->io,
                                           connect->fd, EPOLLIN, on_io, connect) < 0)
        (void)connect_free(connect);
    else
        (void)flush(connect);
}

/* What is held still goes to the client, which then sees the end. */
static void finish(struct connect *connect)
{
    if (connect->call != NULL) {
        drop(connect, "the connection ended as it began");
        return;
    }
    connect->exec = exec_free(connect->exec);
    connect->in_ended = true;
    (void)flush(connect);
}

static void on_exited(void *userdata, uint32_t status, uint32_t signal)
{
    (void)status;
    (void)signal;
    finish(userdata);
}

static void on_failed(void *userdata, int error, uint32_t status, const char *text)
{
    struct connect *connect = userdata;
    struct varlink_call *call = connect->call;
    char reason[LOOPBACK_TEXT + 512];

    (void)status;
    if (call == NULL) {
        finish(connect);
        return;
    }
    (void)snprintf(reason, sizeof(reason), "cannot connect to \"%s\" in the guest: %s", connect->to,
                   error == EAGAIN || error == ECONNRESET || error == ESHUTDOWN ? text
                                                                                : strerror(error));
    varlink_call_watch(call, NULL, NULL, NULL);
    (void)connect_free(connect);
    control_method_fail(call, error, reason);
}

static void fail(struct varlink_call *call, struct vm *vm, int r)
{
    char text[128];

    if (r == -EOPNOTSUPP) {
        control_method_fail(call, EOPNOTSUPP,
                            "the guest's guestlink-init is too old for connections; make its image "
                            "with this version's");
    } else if (r == -EUSERS) {
        (void)snprintf(text, sizeof(text),
                       "the guest has %u connections already, expected fewer; close one and try "
                       "again",
                       LIMITS_CONNECTIONS);
        control_method_fail(call, EUSERS, text);
    } else {
        control_method_fail_vm(call, vm, r);
    }
}

void control_connect_open(struct control_connects *connects, struct varlink_call *call,
                          struct json_object *params)
{
    static const struct exec_events events = {.started = on_started,
                                              .output = on_output,
                                              .input_changed = on_input_changed,
                                              .exited = on_exited,
                                              .failed = on_failed};
    struct vm *vm = control_method_find_vm(connects->fleet, call, params);
    struct exec_command command = {.input = true, .connection = true};
    struct sockaddr_storage address;
    struct connect *connect;
    const char *to;
    char *words[1];
    int r;

    if (vm == NULL || !control_params_text(call, params, "to", &to))
        return;
    if (loopback_parse(to, &address) == 0) {
        varlink_call_invalid(call, "to");
        return;
    }
    connect = calloc(1, sizeof(*connect));
    if (connect == NULL) {
        control_method_fail(call, ENOMEM, NULL);
        return;
    }
    *connect = (struct connect){.connects = connects, .call = call, .fd = -1};
    loopback_format(&address, connect->to);
    words[0] = connect->to;
    command.argv = (struct config_strings){.items = words, .count = 1};
    r = vm_exec(vm, &command, &events, connect, &connect->exec);
    if (r < 0) {
        free(connect);
        fail(call, vm, r);
        return;
    }
    LIST_INSERT_HEAD(&connects->list, connect, of_all);
    varlink_call_watch(call, on_closed, NULL, connect);
}
