/*
 * guestlink-libvirt's side of its JSON, against the steps that attach devices: whatever it says, in
 * whatever pieces, every operation ends, once, and the daemon lives.
 *
 * This process plays it, for a real device host. Of the input, the first byte is what the device
 * host is asked for (enum flags), the second seeds the sizes of the pieces, and the rest are its
 * lines; `$` in one is the id of the oldest request that has no answer yet.
 */
#include "base/child.h"
#include "base/sink.h"
#include "fuzz.h"
#include "hostd/device/device_host.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS_PER_PIECE 64
#define REQUESTS        64u
#define LINE_BYTES      8192u

enum flags {
    FLAG_OPERATION = 0x07, /* what begins when the domain is there; see begin() */
    FLAG_RAW = 0x08,       /* the connection and the domain, too, are the input's */
    FLAG_TOKEN = 0x10,
    FLAG_VIRTIOFSD = 0x20, /* there is a program that serves shares */
};

#define CONNECTED "{\"event\": \"connected\", \"hypervisor\": \"10.0.3\"}\n"
#define RUNS                                                                                       \
    "{\"id\": $, \"result\": {}}\n{\"id\": $, \"result\": {\"active\": true, \"run\": 1}}\n"

struct play {
    sd_event *event;
    struct device_host *host;
    uint8_t flags;
    uint32_t random;
    char requests[LINE_BYTES]; /* what of them was read, without whole lines */
    size_t size;
    int64_t ids[REQUESTS]; /* of those that have no answer yet, oldest first */
    size_t open;
    unsigned begun, done;
};

static char folder[] = "/tmp/guestlink-domain-fuzz-XXXXXX";
static int connection = -1;

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket);

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket)
{
    int ends[2];

    (void)event;
    (void)uri;
    (void)ended;
    (void)userdata;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    if (connection >= 0)
        (void)close(connection);
    connection = ends[1];
    *ret_child = NULL;
    *ret_errors = NULL;
    *ret_socket = ends[0];
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    (void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(char program[64])
{
    FILE *file;

    (void)snprintf(program, 64, "%s/serve", folder);
    if (folder[sizeof(folder) - 2] != 'X')
        return;
    FUZZ_CHECK(mkdtemp(folder));
    FUZZ_CHECK(atexit(remove_folder) == 0);
    (void)snprintf(program, 64, "%s/serve", folder);
    file = fopen(program, "we");
    FUZZ_CHECK(file && fputs("#!/bin/sh\nexec sleep 60\n", file) >= 0 && fclose(file) == 0);
    FUZZ_CHECK(chmod(program, 0700) == 0);
}

static void on_done(void *userdata, const struct device_outcome *outcome)
{
    struct play *play = userdata;

    FUZZ_CHECK(outcome->text && outcome->error >= 0);
    play->done++;
}

static void note(struct play *play, int r)
{
    FUZZ_CHECK(r <= 0);
    play->begun += r == 0;
}

static void add_share(struct play *play, const char *tag)
{
    const struct device_share share = {
        .tag = tag, .path = folder, .iommu_platform = play->flags & FLAG_TOKEN, .options = ""};

    note(play, device_host_add_share(play->host, &share, on_done, play));
}

static void add_adapter(struct play *play, enum config_backend backend)
{
    static struct config_network network = {.id = (char *)"eth0", .interface = (char *)"br0"};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = play->flags & FLAG_TOKEN, .options = ""};

    network.backend = backend;
    note(play, device_host_add_adapter(play->host, &adapter, on_done, play));
}

static void begin(void *userdata)
{
    struct play *play = userdata;

    switch (play->flags & FLAG_OPERATION) {
    case 1:
        note(play, device_host_remove_share(play->host, "c", on_done, play));
        break;
    case 2:
        add_adapter(play, CONFIG_BACKEND_USER);
        break;
    case 3:
        note(play, device_host_remove_adapter(play->host, "eth0", on_done, play));
        break;
    case 4:
        add_adapter(play, CONFIG_BACKEND_BRIDGE);
        break;
    case 5:
        add_share(play, "c");
        add_share(play, "d");
        add_adapter(play, CONFIG_BACKEND_USER);
        break;
    default:
        add_share(play, "c");
        break;
    }
}

static void on_down(void *userdata, bool ended, const char *text)
{
    (void)userdata;
    (void)ended;
    FUZZ_CHECK(text && strlen(text) < LINE_BYTES);
}

static void on_happened(void *userdata)
{
    (void)userdata;
}

static void on_lost(void *userdata, const char *name, bool restored, const char *text)
{
    (void)userdata;
    (void)restored;
    FUZZ_CHECK(name && text);
}

static void on_refused(void *userdata, const char *name, const char *reason)
{
    (void)userdata;
    FUZZ_CHECK(name && reason);
}

static void on_changed(void *userdata, const char *name)
{
    (void)userdata;
    FUZZ_CHECK(name);
}

static void turn(struct play *play)
{
    for (int i = 0; i < TURNS_PER_PIECE && sd_event_run(play->event, 0) > 0; i++)
        ;
}

/* Reads what the device host asked, and notes the ids. */
static void hear(struct play *play)
{
    ssize_t n = recv(connection, play->requests + play->size,
                     sizeof(play->requests) - 1 - play->size, MSG_DONTWAIT);
    char *newline;

    play->size += n > 0 ? (size_t)n : 0;
    play->requests[play->size] = '\0';
    while ((newline = memchr(play->requests, '\n', play->size))) {
        const char *id = strstr(play->requests, "\"id\":");

        if (id && id < newline && play->open < REQUESTS)
            play->ids[play->open++] = strtoll(id + 5, NULL, 10);
        play->size -= (size_t)(newline + 1 - play->requests);
        memmove(play->requests, newline + 1, play->size + 1);
    }
}

static void say(struct play *play, const char *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        size_t piece;
        ssize_t n;

        play->random = play->random * 1103515245 + 12345;
        piece = 1 + (play->random >> 16) % 1000;
        piece = piece < size - sent ? piece : size - sent;
        n = send(connection, data + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        turn(play);
        if (n <= 0) /* hung up, or not read at the moment */
            return;
        sent += (size_t)n;
    }
}

static void say_line(struct play *play, const char *line, size_t size)
{
    const char *at = memchr(line, '$', size);
    char id[32];

    hear(play);
    if (!at) {
        say(play, line, size);
        return;
    }
    (void)snprintf(id, sizeof(id), "%lld", (long long)(play->open > 0 ? play->ids[0] : 0));
    if (play->open > 0)
        memmove(&play->ids[0], &play->ids[1], --play->open * sizeof(play->ids[0]));
    say(play, line, (size_t)(at - line));
    say(play, id, strlen(id));
    say(play, at + 1, size - (size_t)(at + 1 - line));
}

static void say_all(struct play *play, const char *data, size_t size)
{
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t part = newline ? (size_t)(newline + 1 - data) : size;

        say_line(play, data, part);
        data += part;
        size -= part;
    }
}

/* What serves shares lives on for the next daemon; here there is none. */
static void end_children(void)
{
    char path[64];
    int pid = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    for (;;) {
        FILE *file = fopen(path, "re");
        int found;

        FUZZ_CHECK(file);
        found = fscanf(file, "%d", &pid); /* NOLINT(cert-err34-c): the kernel's */
        (void)fclose(file);
        if (found != 1)
            return;
        (void)kill(pid, SIGKILL);
        FUZZ_CHECK(TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0)) == pid);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_host_events events = {.up = begin,
                                                     .down = on_down,
                                                     .reset = on_happened,
                                                     .resumed = on_happened,
                                                     .share_lost = on_lost,
                                                     .share_refused = on_refused,
                                                     .aperture_changed = on_changed,
                                                     .adapter_lost = on_lost,
                                                     .adapter_refused = on_refused,
                                                     .adapter_aperture_changed = on_changed};
    char program[64];
    struct config_vm vm = {.name = (char *)"dev",
                           .id = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01",
                           .device_host = {.type = CONFIG_DEVICE_HOST_LIBVIRT,
                                           .uri = (char *)"test:///default",
                                           .domain = (char *)"dev"}};
    struct play play = {0};

    if (size < 2)
        return 0;
    make_folder(program);
    play.flags = data[0];
    play.random = data[1];
    vm.device_host.virtiofsd = play.flags & FLAG_VIRTIOFSD ? program : (char *)"/nonexistent";
    FUZZ_CHECK(sd_event_new(&play.event) >= 0);
    FUZZ_CHECK(device_host_new(play.event, &vm, folder, NULL, &events, &play, &play.host) == 0);
    turn(&play);
    FUZZ_CHECK(connection >= 0);
    if (!(play.flags & FLAG_RAW))
        say_all(&play, CONNECTED RUNS, strlen(CONNECTED RUNS));
    say_all(&play, (const char *)data + 2, size - 2);
    (void)close(connection);
    connection = -1;
    turn(&play);
    play.host = device_host_free(play.host);
    FUZZ_CHECK(play.done == play.begun);
    if (connection >= 0)
        (void)close(connection);
    connection = -1;
    (void)sd_event_unref(play.event);
    end_children();
    return 0;
}
