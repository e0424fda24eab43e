/*
 * QEMU's side of QMP: whatever it says, in whatever pieces, the client takes it or ends the link.
 *
 * A socket of this process plays QEMU: it sends the input in pieces whose sizes the first byte
 * seeds, and ends.
 */
#include "fuzz.h"
#include "hostd/device/qmp_link.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS_PER_PIECE 8

struct client {
    struct qmp_link *link;
    bool ended;
};

static void on_message(void *userdata, struct json_object *message)
{
    (void)userdata;
    FUZZ_CHECK(message);
}

static void on_ended(void *userdata, bool gone, const char *text)
{
    struct client *client = userdata;

    (void)gone;
    FUZZ_CHECK(text && !client->ended);
    client->ended = true;
    client->link = qmp_link_free(client->link);
}

/* A listening socket at a path of this process. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    FUZZ_CHECK(listen(fd, 1) == 0);
    return fd;
}

static void turn(sd_event *event)
{
    for (int i = 0; i < TURNS_PER_PIECE && sd_event_run(event, 0) > 0; i++)
        ;
}

static void feed(sd_event *event, struct client *client, int fd, const uint8_t *data, size_t size)
{
    uint32_t random = data[0];

    for (size_t sent = 1; sent < size && !client->ended;) {
        size_t piece;
        ssize_t n;

        random = random * 1103515245 + 12345;
        piece = 1 + (random >> 16) % 1000;
        piece = piece < size - sent ? piece : size - sent;
        n = send(fd, data + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        turn(event);
        if (n > 0)
            sent += (size_t)n;
    }
    (void)shutdown(fd, SHUT_RDWR);
    turn(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client client = {0};
    sd_event *event = NULL;
    char path[64];
    int listener, fd;

    if (size == 0)
        return 0;
    (void)snprintf(path, sizeof(path), "/tmp/guestlink-qmp-fuzz-%d", (int)getpid());
    listener = listen_at(path);
    FUZZ_CHECK(sd_event_new(&event) >= 0);
    FUZZ_CHECK(qmp_link_new(event, path, on_message, on_ended, &client, &client.link) == 0);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    feed(event, &client, fd, data, size);
    client.link = qmp_link_free(client.link);
    (void)sd_event_unref(event);
    (void)close(fd);
    (void)close(listener);
    (void)unlink(path);
    return 0;
}
