/*
 * guestlink-libvirt: stands between guestlink-hostd and libvirt, whose calls block and whose
 * libraries the daemon does without.
 *
 *   guestlink-libvirt URI                    JSON lines: requests in, answers and events out
 *   guestlink-libvirt --describe URI DOMAIN  one description (domain_xml.h), for a person
 *
 * The main thread runs libvirt's event loop and never blocks; one thread connects, and a few more
 * call (pool.h). Where the connection ends so does the program: the daemon starts another one,
 * which finds everything again from the live XML.
 */
#include "base/json.h"
#include "base/streams.h"
#include "call.h"
#include "events.h"
#include "line.h"
#include "pool.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libvirtd that answers nothing for so long is gone. */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      4u

/* Bytes of one request. */
#define LINE_MAX_BYTES ((size_t)65536)

static char input[LINE_MAX_BYTES];
static size_t input_size;

static void quiet(void *userdata, virErrorPtr error)
{
    (void)userdata;
    (void)error;
}

static void on_closed(virConnectPtr connection, int reason, void *opaque)
{
    static const char *const reasons[] = {
        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection to libvirt failed",
        [VIR_CONNECT_CLOSE_REASON_EOF] = CALL_CONNECTION_CLOSED,
        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirtd did not answer for 20 s",
    };

    (void)connection;
    (void)opaque;
    line_end(reason >= 0 && (size_t)reason < sizeof(reasons) / sizeof(reasons[0])
                 ? reasons[reason]
                 : "libvirt closed the connection");
}

static void tell_connected(virConnectPtr connection)
{
    unsigned long libvirt = 0, hypervisor = 0;
    char versions[2][48];

    (void)virConnectGetLibVersion(connection, &libvirt);
    (void)virConnectGetVersion(connection, &hypervisor);
    (void)snprintf(versions[0], sizeof(versions[0]), "%lu.%lu.%lu", libvirt / 1000000,
                   libvirt / 1000 % 1000, libvirt % 1000);
    (void)snprintf(versions[1], sizeof(versions[1]), "%lu.%lu.%lu", hypervisor / 1000000,
                   hypervisor / 1000 % 1000, hypervisor % 1000);
    line_write(json_texts("event", "connected", "libvirt", versions[0], "hypervisor",
                          hypervisor ? versions[1] : "", NULL));
}

/* A thread: each of its calls may block. */
static void *open_connection(void *uri)
{
    virConnectPtr connection = virConnectOpen(uri);

    if (!connection || virConnectRegisterCloseCallback(connection, on_closed, NULL, NULL) < 0 ||
        events_register(connection) < 0)
        line_end(virGetLastErrorMessage());
    /* One of the same process (test:///default) has none, and needs none. */
    (void)virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
    if (pool_start(connection) < 0)
        line_end("cannot start a thread");
    tell_connected(connection);
    return NULL;
}

static void take_line(const char *line, size_t size)
{
    struct json_object *request = json_parse_object(line, size, 4);
    const char *call = json_as_text(json_member(request, "call"), LINE_MAX_BYTES);

    if (!call) {
        json_object_put(request);
        line_end("a request is not a JSON object with a \"call\"");
    } else if (strcmp(call, "ping") == 0) {
        line_write(json_members("id", json_object_get(json_member(request, "id")), "result",
                                json_object_new_object(), NULL));
        json_object_put(request);
    } else if (pool_enqueue(request) < 0) {
        line_end("too many requests are waiting");
    }
}

static void on_input(int watch, int fd, int events, void *opaque)
{
    ssize_t size = read(fd, input + input_size, sizeof(input) - input_size);
    char *newline;

    (void)watch;
    (void)events;
    (void)opaque;
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0)
        _exit(EXIT_SUCCESS); /* the daemon is gone */
    input_size += (size_t)size;
    while ((newline = memchr(input, '\n', input_size))) {
        size_t line = (size_t)(newline - input);

        *newline = '\0';
        take_line(input, line);
        input_size -= line + 1;
        memmove(input, newline + 1, input_size);
    }
    if (input_size == sizeof(input))
        line_end("a request has more than 64 KiB");
}

static int serve(char *uri)
{
    pthread_t thread;

    if (virEventRegisterDefaultImpl() < 0 ||
        virEventAddHandle(STDIN_FILENO,
                          VIR_EVENT_HANDLE_READABLE | VIR_EVENT_HANDLE_HANGUP |
                              VIR_EVENT_HANDLE_ERROR,
                          on_input, NULL, NULL) < 0 ||
        pthread_create(&thread, NULL, open_connection, uri) != 0)
        line_end(virGetLastErrorMessage());
    (void)pthread_detach(thread);
    while (virEventRunDefaultImpl() == 0)
        ;
    line_end(virGetLastErrorMessage());
}

static int describe(const char *uri, const char *domain)
{
    virConnectPtr connection = virConnectOpen(uri);
    struct json_object *description = connection ? call_describe(connection, domain) : NULL;

    if (!description) {
        (void)fprintf(stderr, "guestlink-libvirt: cannot describe domain \"%s\" of %s: %s\n",
                      domain, uri, virGetLastErrorMessage());
        return EXIT_FAILURE;
    }
    line_write(description);
    return EXIT_SUCCESS;
}

static int usage(FILE *to, int status)
{
    (void)fputs("usage: guestlink-libvirt URI\n"
                "       guestlink-libvirt --describe URI DOMAIN\n"
                "       guestlink-libvirt --help | --version\n"
                "Stands between guestlink-hostd, which starts it, and libvirt: see "
                "guestlink-libvirt(8).\n",
                to);
    return status;
}

int main(int argc, char *argv[])
{
    if (streams_open() < 0)
        return EXIT_FAILURE;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, EXIT_SUCCESS);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("guestlink-libvirt " GUESTLINK_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || virInitialize() < 0)
        return EXIT_FAILURE;
    virSetErrorFunc(NULL, quiet);
    if (argc == 4 && strcmp(argv[1], "--describe") == 0)
        return describe(argv[2], argv[3]);
    return argc == 2 && argv[1][0] != '-' ? serve(argv[1]) : usage(stderr, 2);
}
