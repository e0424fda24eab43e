/* pair: two ways, each with its own buffer, so that none waits for the other. */
#include "pair.h"

#include "base/json.h"
#include "command.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As much as a client reads at once: what came behind the daemon's answer has room. */
#define BUFFER 65536u

struct way {
    int from, to; /* to is -1 once it is closed */
    bool ended;
    size_t size, sent;
    char data[BUFFER];
};

struct pair {
    struct client *client;
    bool stands; /* the daemon answered */
    struct way there, back;
};

struct pair *pair_free(struct pair *pair)
{
    if (pair == NULL)
        return NULL;
    (void)close(pair->there.from);
    (void)client_free(pair->client);
    free(pair);
    return NULL;
}

struct pair *pair_new(const char *socket, const char *vm, const char *to, int fd)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct json_object *params;
    int r;

    if (pair == NULL) {
        (void)close(fd);
        return NULL;
    }
    pair->there.from = pair->back.to = fd;
    if (client_new(socket, &pair->client) != 0)
        return pair_free(pair);
    pair->there.to = pair->back.from = client_fd(pair->client);
    params = command_vm_params(vm);
    json_add_text(params, "to", to);
    r = client_send(pair->client, "Connect", params, CLIENT_UPGRADE);
    if (r == 0)
        return pair;
    say_error("%s", client_error(pair->client, r));
    return pair_free(pair);
}

void pair_poll(const struct pair *pair, struct pollfd *ret_pollers)
{
    const struct way *ways[] = {&pair->there, &pair->back};

    for (size_t i = 0; i < 2; i++) {
        const struct way *way = ways[i];
        bool reads = way->size == 0 && !way->ended && (pair->stands || way == &pair->back);

        /* A connection's end is always heard of, but not while the other way still passes on what
         * came before it. */
        ret_pollers[2 * i] = (struct pollfd){
            .fd = reads || (way->ended && way->size == 0 && i == 1) ? way->from : -1,
            .events = (short)(reads ? POLLIN : 0)};
        ret_pollers[2 * i + 1] =
            (struct pollfd){.fd = way->size > 0 ? way->to : -1, .events = POLLOUT};
    }
}

/* The answer, and what came behind it. @return false: it is a refusal */
static bool take_answer(struct pair *pair)
{
    struct json_object *reply = NULL;
    int r = client_receive(pair->client, 0, &reply);

    json_object_put(reply);
    if (r == -EAGAIN)
        return true;
    if (r < 0) {
        say_error("%s", client_error(pair->client, r));
        return false;
    }
    pair->stands = true;
    pair->back.size = client_take_rest(pair->client, pair->back.data, BUFFER);
    return true;
}

static bool must_wait(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* @return false: it broke */
static bool pass(struct way *way, bool reads, bool writes)
{
    ssize_t n;

    if (reads && way->size == 0 && !way->ended) {
        n = recv(way->from, way->data, BUFFER, MSG_DONTWAIT);
        if (n < 0)
            return must_wait(n);
        way->size = (size_t)n;
        way->ended = n == 0;
    }
    if (way->size > 0 && (reads || writes)) {
        n = send(way->to, way->data + way->sent, way->size - way->sent,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && !must_wait(n)) { /* nobody there takes any more: who sends is to know */
            (void)shutdown(way->from, SHUT_RD);
            way->ended = true;
            way->size = way->sent = 0;
        }
        way->sent += n > 0 ? (size_t)n : 0;
        if (way->sent == way->size)
            way->sent = way->size = 0;
    }
    if (way->ended && way->size == 0 && way->to >= 0) {
        (void)shutdown(way->to, SHUT_WR);
        way->to = -1;
    }
    return true;
}

bool pair_turn(struct pair *pair, const struct pollfd *pollers)
{
    if (!pair->stands)
        return pollers[2].revents == 0 || take_answer(pair);
    /* The daemon has closed: the service has, both ways. */
    if (pair->back.to < 0 && (pollers[2].revents & (POLLHUP | POLLERR)) != 0)
        return false;
    return pass(&pair->there, pollers[0].revents != 0, pollers[1].revents != 0) &&
           pass(&pair->back, pollers[2].revents != 0, pollers[3].revents != 0) &&
           (pair->there.to >= 0 || pair->back.to >= 0);
}
