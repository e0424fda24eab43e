/*
 * p9 server: one share served over one 9P connection by diod, which finds the connection as a file
 * descriptor. diod serves one client and ends with the connection.
 */
#include "p9_server.h"

#include "base/child.h"
#include "base/sink.h"
#include "protocol/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTION_FD "3"

struct p9_server {
    struct child *child;
    struct sink *errors;
    p9_server_ended_fn on_ended;
    void *userdata;
};

static void on_child_ended(void *userdata, const struct child_end *end)
{
    struct p9_server *server = userdata;
    char words[SINK_LAST_WORDS + 1], how[CHILD_END_SIZE], text[sizeof(words) + sizeof(how) + 64];

    sink_drain(server->errors);
    (void)sink_last_words(server->errors, words, sizeof(words));
    (void)snprintf(text, sizeof(text), "diod: %s; last words: %s", child_end_describe(end, how),
                   words[0] ? words : "none");
    server->on_ended(server->userdata, text);
}

static int start(sd_event *event, struct p9_server *server, int fd, const char *path,
                 bool read_only)
{
    char program[LIMITS_PATH];
    /* No user database and no authentication: on the connection is the guest's PID 1, who may act
     * as any user inside the share. No configuration file, which could export more. */
    const char *const argv[] = {
        program, "-f",          "-n", "-N",          "-c", "/dev/null",     "-L", "stderr",
        "-r",    CONNECTION_FD, "-w", CONNECTION_FD, "-e", LIMITS_9P_ANAME, NULL};
    struct child_spec spec = {
        .argv = argv,
        .fds = {-1, -1, -1, fd},
        .directory = path,
        .outside = true,
        .detached = true,
        .read_only = read_only ? path : NULL,
    };
    int ends[2], r;

    r = child_find_program("diod", program, sizeof(program));
    if (r < 0)
        r = child_find_program("/usr/sbin/diod", program, sizeof(program));
    if (r < 0)
        return r;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    spec.fds[2] = ends[1];
    r = sink_new(event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &server->errors);
    if (r == 0)
        r = child_start(event, &spec, on_child_ended, server, &server->child);
    (void)close(ends[1]);
    return r;
}

int p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                  p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server)
{
    struct p9_server *server = calloc(1, sizeof(*server));
    int flags = fcntl(fd, F_GETFL);
    int r = -ENOMEM;

    if (server) {
        server->on_ended = ended;
        server->userdata = userdata;
        /* diod reads with plain blocking calls; the flag belongs to the socket, not to us. */
        if (flags >= 0)
            (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        r = start(event, server, fd, path, read_only);
    }
    (void)close(fd);
    if (r < 0) {
        (void)p9_server_free(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

struct p9_server *p9_server_release(struct p9_server *server)
{
    if (!server)
        return NULL;
    (void)child_free(server->child);
    sink_free(server->errors);
    free(server);
    return NULL;
}

struct p9_server *p9_server_free(struct p9_server *server)
{
    if (!server)
        return NULL;
    child_kill(server->child);
    sink_free(server->errors);
    free(server);
    return NULL;
}
