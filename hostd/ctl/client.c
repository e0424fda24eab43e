/* client: bytes to and from the daemon, and its errors as sentences. */
#include "client.h"

#include "base/json.h"
#include "protocol/wire.h"
#include "say.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A list of thousands of VMs; a daemon that sends more is none. */
#define REPLY_BYTES (64u << 20)
#define CHUNK       65536u

struct client {
    int fd;
    char *data;
    size_t size, capacity;
    char error[1024];
};

/* @return 0 or -errno */
static int client_new_quietly(const char *socket_path, struct client **ret_client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client *client;

    if (strlen(socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;

        (void)client_free(client);
        return -error;
    }
    *ret_client = client;
    return 0;
}

int client_new(const char *socket_path, struct client **ret_client)
{
    int r = client_new_quietly(socket_path, ret_client);

    if (r == 0)
        return 0;
    if (r == -EACCES || r == -EPERM)
        say_error(
            "cannot reach guestlink-hostd at \"%s\": %s; nothing was done; the control socket "
            "is for root and the group guestlink (usermod -aG guestlink USER, then log in "
            "again)",
            socket_path, strerror(-r));
    else
        say_error(
            "cannot reach guestlink-hostd at \"%s\": %s; nothing was done; start it (systemctl "
            "start guestlink-hostd), or name another control socket with --socket",
            socket_path, strerror(-r));
    return 1;
}

struct client *client_free(struct client *client)
{
    if (client == NULL)
        return NULL;
    if (client->fd >= 0)
        (void)close(client->fd);
    free(client->data);
    free(client);
    return NULL;
}

int client_fd(const struct client *client)
{
    return client->fd;
}

int client_send(struct client *client, const char *method, struct json_object *params,
                enum client_answer answer)
{
    struct json_object *call = json_object_new_object();
    size_t size, sent = 0;
    const char *text;
    char name[64];
    int r = 0;

    (void)snprintf(name, sizeof(name), "io.guestlink.%s", method);
    json_add_text(call, "method", name);
    if (params != NULL)
        json_object_object_add(call, "parameters", params);
    if (answer != CLIENT_ONE)
        json_add_flag(call, answer == CLIENT_MORE ? "more" : "upgrade", true);
    text = json_object_to_json_string_length(call, JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (!wire_text_is_valid((struct wire_text){.data = text, .size = size}))
        r = -EILSEQ;
    while (r == 0 && sent < size + 1) { /* with its NUL */
        ssize_t n = send(client->fd, text + sent, size + 1 - sent, MSG_NOSIGNAL);

        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    json_object_put(call);
    return r;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until there is something to read. */
static int wait_for_input(const struct client *client, int64_t deadline)
{
    for (;;) {
        struct pollfd poller = {.fd = client->fd, .events = POLLIN};
        int64_t left = deadline < 0 ? -1 : deadline - now_ms();
        int n = poll(&poller, 1, deadline >= 0 && left < 0 ? 0 : (int)left);

        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int read_more(struct client *client)
{
    ssize_t n;

    if (client->capacity - client->size < CHUNK) {
        size_t capacity = client->capacity * 2 + CHUNK;
        char *data = capacity > REPLY_BYTES ? NULL : realloc(client->data, capacity);

        if (data == NULL)
            return -ENOMEM;
        client->data = data;
        client->capacity = capacity;
    }
    do {
        n = recv(client->fd, client->data + client->size, client->capacity - client->size, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ECONNRESET;
    client->size += (size_t)n;
    return 0;
}

static void note_error(struct client *client, const char *name, struct json_object *params)
{
    static const struct {
        const char *name, *format, *key;
    } known[] = {
        {"io.guestlink.NoSuchVm", "no VM is called \"%s\"; `guestlinkctl list` shows all", "vm"},
        {"io.guestlink.NotConnected",
         "the guest of the VM \"%s\" is not connected; `guestlinkctl show` has details", "vm"},
        {"io.guestlink.NoSuchProcess", "the command %s has exited", "process"},
        {"io.guestlink.Refused", "%s", "reason"},
        {"io.guestlink.Failed", "%s", "reason"},
        {"org.varlink.service.PermissionDenied",
         "permission denied; the control socket is for root and the group guestlink%s", ""},
        {"org.varlink.service.InvalidParameter",
         "the daemon does not know the parameter \"%s\"; do guestlinkctl and the daemon have "
         "the same version?",
         "parameter"},
        {"org.varlink.service.MethodNotFound",
         "the daemon has no method %s; do guestlinkctl and the daemon have the same version?",
         "method"},
    };

    (void)snprintf(client->error, sizeof(client->error), "the daemon answered %s", name);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const char *mark = strstr(known[i].format, "%s");
        struct json_object *value = json_member(params, known[i].key);

        if (strcmp(known[i].name, name) == 0 && mark != NULL)
            (void)snprintf(client->error, sizeof(client->error), "%.*s%s%s",
                           (int)(mark - known[i].format), known[i].format,
                           value != NULL ? json_object_get_string(value) : "", mark + 2);
    }
}

/* @return 0 (more follow), 1 (the last), -EREMOTE, -EPROTO */
static int take_reply(struct client *client, const char *text, struct json_object **ret_params)
{
    struct json_object *root = json_tokener_parse(text);
    struct json_object *error = json_member(root, "error"), *params;
    int r = json_object_get_boolean(json_member(root, "continues")) ? 0 : 1;

    if (!json_object_is_type(root, json_type_object)) {
        json_object_put(root);
        return -EPROTO;
    }
    params = json_object_get(json_member(root, "parameters"));
    if (error != NULL) {
        note_error(client, json_object_get_string(error), params);
        json_object_put(params);
        r = -EREMOTE;
    } else {
        *ret_params = params != NULL ? params : json_object_new_object();
    }
    json_object_put(root);
    return r;
}

int client_receive(struct client *client, int timeout_ms, struct json_object **ret_params)
{
    int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    size_t searched = 0;
    char *nul;
    int r;

    while (client->size == searched ||
           (nul = memchr(client->data + searched, '\0', client->size - searched)) == NULL) {
        searched = client->size;
        r = wait_for_input(client, deadline);
        if (r == -ETIMEDOUT && timeout_ms == 0)
            return -EAGAIN;
        if (r == 0)
            r = read_more(client);
        if (r < 0)
            return r;
    }
    r = take_reply(client, client->data, ret_params);
    client->size -= (size_t)(nul + 1 - client->data);
    memmove(client->data, nul + 1, client->size);
    return r;
}

const char *client_error(const struct client *client, int r)
{
    switch (r) {
    case -EREMOTE:
        return client->error;
    case -ECONNRESET:
    case -EPIPE:
        return "the daemon closed the connection; it exited, or guestlinkctl read too slowly";
    case -ETIMEDOUT:
        return "the daemon did not answer in time";
    case -EILSEQ:
        return "an argument is not UTF-8, expected UTF-8; nothing was done (exec: pass other "
               "bytes on standard input, or in a file of a share)";
    case -EPROTO:
        return "the program listening there does not speak Varlink, expected guestlink-hostd";
    default:
        return strerror(-r);
    }
}

size_t client_take_rest(struct client *client, void *buffer, size_t capacity)
{
    size_t size = client->size < capacity ? client->size : capacity;

    if (size > 0)
        memcpy(buffer, client->data, size);
    client->size = 0;
    return size;
}

int client_call(struct client *client, const char *method, struct json_object *params,
                int timeout_ms, struct json_object **ret_params)
{
    int r = client_send(client, method, params, CLIENT_ONE);

    if (r == 0)
        r = client_receive(client, timeout_ms, ret_params);
    if (r >= 0)
        return 0;
    say_error("%s", client_error(client, r));
    return 1;
}

struct json_object *client_ask(const char *socket_path, const char *method,
                               struct json_object *params)
{
    struct json_object *reply = NULL;
    struct client *client = NULL;

    (void)client_new_quietly(socket_path, &client);
    if (client == NULL) {
        json_object_put(params);
    } else if (client_send(client, method, params, CLIENT_ONE) < 0 ||
               client_receive(client, CLIENT_QUICK_MS, &reply) != 1) {
        json_object_put(reply);
        reply = NULL;
    }
    (void)client_free(client);
    return reply;
}
