/* command forward: a socket here, at which each connection becomes one in the guest. */
#include "base/json.h"
#include "base/loopback.h"
#include "client.h"
#include "command.h"
#include "pair.h"
#include "say.h"
#include "signal_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the daemon has for one guest. */
#define PAIRS_MAX  32u
#define MODE       0600
#define MODES_MASK 0777

struct forward {
    const struct options *options;
    const char *vm;
    char to[LOOPBACK_TEXT];
    int listening, signals;
    struct pair *pairs[PAIRS_MAX];
};

/* A socket's file that nobody listens at is in nobody's way. */
static void remove_stale(const struct sockaddr_storage *address, socklen_t size, const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat status;

    if (fd >= 0 && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        connect(fd, (const struct sockaddr *)address, size) < 0 && errno == ECONNREFUSED)
        (void)unlink(path);
    if (fd >= 0)
        (void)close(fd);
}

/* @param text  of the address; the port that was had in place of 0. @return a descriptor, or -1,
 * said why */
static int listen_at(struct sockaddr_storage *address, socklen_t size, mode_t mode,
                     char text[LOOPBACK_TEXT])
{
    static const int on = 1;
    bool is_local = address->ss_family == AF_UNIX;
    mode_t before;
    int fd, r;

    if (is_local)
        remove_stale(address, size, text);
    fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    r = fd;
    if (r >= 0 && !is_local)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    before = umask(MODES_MASK & ~mode);
    if (r >= 0)
        r = bind(fd, (const struct sockaddr *)address, size);
    (void)umask(before);
    if (r == 0)
        r = listen(fd, SOMAXCONN);
    if (r < 0) {
        say_error("cannot listen at \"%s\": %s%s", text, strerror(errno),
                  errno == EADDRINUSE ? "; stop what listens there, or name another one" : "");
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    if (!is_local) {
        (void)getsockname(fd, (struct sockaddr *)address, &size);
        loopback_format(address, text);
    }
    return fd;
}

/* Where it listens, once it does. */
static void tell(const struct forward *forward, const char *at)
{
    struct json_object *object;

    if (forward->options->json) {
        object = json_texts("vm", forward->vm, "here", at, "there", forward->to, NULL);
        say_json(object);
        json_object_put(object);
    } else {
        say_format(SAY_PLAIN, "%s is %s of %s", at, forward->to, forward->vm);
        (void)putchar('\n');
    }
    (void)fflush(stdout);
}

/* Report a guest that cannot do this before listening. */
static bool guest_can(const struct forward *forward)
{
    struct json_object *reply = NULL, *features, *one;
    bool can = false;

    if (command_call(forward->options, "Capabilities", command_vm_params(forward->vm),
                     CLIENT_QUICK_MS, &reply) != 0)
        return false;
    features = json_member(json_member(reply, "capabilities"), "features");
    for (size_t i = 0; (one = json_element(features, i)) != NULL; i++)
        can = can || strcmp(json_object_get_string(one), "connections") == 0;
    if (!can)
        say_error("cannot connect into the guest of \"%s\": its guestlink-init is too old for "
                  "connections; make its image with this version's",
                  forward->vm);
    json_object_put(reply);
    return can;
}

static void take_connection(struct forward *forward)
{
    int fd = accept4(forward->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t i = 0;

    if (fd < 0)
        return;
    while (i < PAIRS_MAX && forward->pairs[i] != NULL)
        i++;
    if (i == PAIRS_MAX) {
        say_error("cannot take another connection: %u are open; closing it", PAIRS_MAX);
        (void)close(fd);
        return;
    }
    forward->pairs[i] = pair_new(forward->options->socket, forward->vm, forward->to, fd);
}

static int run(struct forward *forward)
{
    struct pollfd pollers[2 + PAIRS_MAX * PAIR_POLLERS];

    for (;;) {
        nfds_t count = 2;

        pollers[0] = (struct pollfd){.fd = forward->signals, .events = POLLIN};
        pollers[1] = (struct pollfd){.fd = forward->listening, .events = POLLIN};
        for (size_t i = 0; i < PAIRS_MAX; i++)
            if (forward->pairs[i] != NULL) {
                pair_poll(forward->pairs[i], pollers + count);
                count += PAIR_POLLERS;
            }
        if (poll(pollers, count, -1) < 0 && errno != EINTR)
            return 1;
        if (pollers[0].revents != 0)
            return 0;
        count = 2;
        for (size_t i = 0; i < PAIRS_MAX; i++)
            if (forward->pairs[i] != NULL) {
                if (!pair_turn(forward->pairs[i], pollers + count))
                    forward->pairs[i] = pair_free(forward->pairs[i]);
                count += PAIR_POLLERS;
            }
        if (pollers[1].revents != 0)
            take_connection(forward);
    }
}

static int refuse(const char *which, const char *text)
{
    say_error("%s \"%s\", expected " LOOPBACK_EXPECTED, which, text);
    return 2;
}

int command_forward(const struct options *options, char **words)
{
    struct forward forward = {.options = options, .vm = words[0], .listening = -1, .signals = -1};
    struct sockaddr_storage here, there;
    socklen_t size = loopback_parse(words[1], &here);
    char at[LOOPBACK_TEXT];
    int status = 1;

    if (size == 0)
        return refuse("HERE:", words[1]);
    if (loopback_parse(words[2], &there) == 0)
        return refuse("THERE:", words[2]);
    if ((options->given & OPTIONS_MODE) != 0 && here.ss_family != AF_UNIX) {
        say_error("--mode: \"%s\" is no Unix socket, expected one", words[1]);
        return 2;
    }
    loopback_format(&here, at);
    loopback_format(&there, forward.to);
    if (!guest_can(&forward))
        return 1;
    forward.signals = signal_watch();
    forward.listening =
        listen_at(&here, size, (options->given & OPTIONS_MODE) != 0 ? options->mode : MODE, at);
    if (forward.listening >= 0) {
        tell(&forward, at);
        status = run(&forward);
        (void)close(forward.listening);
        if (here.ss_family == AF_UNIX)
            (void)unlink(at);
    }
    for (size_t i = 0; i < PAIRS_MAX; i++)
        (void)pair_free(forward.pairs[i]);
    if (forward.signals >= 0)
        (void)close(forward.signals);
    return status;
}
