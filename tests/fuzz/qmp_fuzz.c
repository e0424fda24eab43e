/*
 * QEMU's side of QMP, against the steps that plug devices: whatever it says, in whatever pieces,
 * every operation ends, once, and the daemon lives.
 *
 * A socket of this process plays QEMU, for a real device host. Of the input, the first byte is what
 * the device host is asked for (enum flags), the second seeds the sizes of the pieces, and the rest
 * are QEMU's lines; `$` in one is the id of the oldest command that has no answer yet.
 */
#include "fuzz.h"
#include "hostd/device/device_host.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS_PER_PIECE 64
#define COMMANDS        64u
#define LINE_BYTES      4096u

enum flags {
    FLAG_OPERATION = 0x07, /* what begins when QEMU is there; see begin() */
    FLAG_RAW = 0x08,       /* the greeting, too, is the input's */
    FLAG_TOKEN = 0x10,
    FLAG_VIRTIOFSD = 0x20, /* there is a program that serves shares */
};

#define GREETING "{\"QMP\": {}}\n"
#define AGREED   "{\"return\": {}, \"id\": $}\n"

struct play {
    sd_event *event;
    struct device_host *host;
    uint8_t flags;
    uint32_t random;
    int connection;
    char commands[LINE_BYTES]; /* what of them was read, without whole lines */
    size_t size;
    int64_t ids[COMMANDS]; /* of those that have no answer yet, oldest first */
    size_t open;
    unsigned begun, done;
};

static char folder[] = "/tmp/guestlink-qmp-fuzz-XXXXXX", qmp_path[64], program[64];

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

static void make_folder(void)
{
    FILE *file;

    if (qmp_path[0])
        return;
    FUZZ_CHECK(mkdtemp(folder));
    FUZZ_CHECK(atexit(remove_folder) == 0);
    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/qmp", folder);
    (void)snprintf(program, sizeof(program), "%s/serve", folder);
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
    const struct device_share share = {.tag = tag,
                                       .path = folder,
                                       .read_only = false,
                                       .iommu_platform = play->flags & FLAG_TOKEN,
                                       .options = ""};

    note(play, device_host_add_share(play->host, &share, on_done, play));
}

static void add_adapter(struct play *play, enum config_backend backend)
{
    static struct config_network network = {.id = "eth0", .socket_path = "/nonexistent"};
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
        add_adapter(play, CONFIG_BACKEND_STREAM);
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

static void on_reset(void *userdata)
{
    (void)userdata;
}

static void on_share_lost(void *userdata, const char *tag, bool restored, const char *text)
{
    (void)userdata;
    (void)restored;
    FUZZ_CHECK(tag && text);
}

static void on_share_refused(void *userdata, const char *tag, const char *reason)
{
    (void)userdata;
    FUZZ_CHECK(tag && reason);
}

static void on_aperture_changed(void *userdata, const char *tag)
{
    (void)userdata;
    FUZZ_CHECK(tag);
}

/* A listening socket at the path that the device host connects to. */
static int listen_for_daemon(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)unlink(qmp_path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", qmp_path);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    FUZZ_CHECK(listen(fd, 1) == 0);
    return fd;
}

static void turn(struct play *play)
{
    for (int i = 0; i < TURNS_PER_PIECE && sd_event_run(play->event, 0) > 0; i++)
        ;
}

/* Reads what the device host sent, and notes the ids. */
static void hear(struct play *play)
{
    ssize_t n = recv(play->connection, play->commands + play->size,
                     sizeof(play->commands) - 1 - play->size, MSG_DONTWAIT);
    char *newline;

    play->size += n > 0 ? (size_t)n : 0;
    play->commands[play->size] = '\0';
    while ((newline = memchr(play->commands, '\n', play->size))) {
        const char *id = strstr(play->commands, "\"id\":");

        if (id && id < newline && play->open < COMMANDS)
            play->ids[play->open++] = strtoll(id + 5, NULL, 10);
        play->size -= (size_t)(newline + 1 - play->commands);
        memmove(play->commands, newline + 1, play->size + 1);
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
        n = send(play->connection, data + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
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
                                                     .reset = on_reset,
                                                     .share_lost = on_share_lost,
                                                     .share_refused = on_share_refused,
                                                     .aperture_changed = on_aperture_changed};
    struct config_vm vm = {.name = "dev",
                           .id = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01",
                           .device_host = {.type = CONFIG_DEVICE_HOST_QEMU}};
    struct play play = {0};
    int listener;

    if (size < 2)
        return 0;
    make_folder();
    play.flags = data[0];
    play.random = data[1];
    vm.device_host.qmp = qmp_path;
    vm.device_host.virtiofsd = play.flags & FLAG_VIRTIOFSD ? program : (char *)"/nonexistent";
    listener = listen_for_daemon();
    FUZZ_CHECK(sd_event_new(&play.event) >= 0);
    FUZZ_CHECK(device_host_new(play.event, &vm, folder, NULL, &events, &play, &play.host) == 0);
    turn(&play);
    play.connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    FUZZ_CHECK(play.connection >= 0);
    (void)close(listener);
    if (!(play.flags & FLAG_RAW))
        say_all(&play, GREETING AGREED, strlen(GREETING AGREED));
    say_all(&play, (const char *)data + 2, size - 2);
    (void)close(play.connection);
    turn(&play);
    play.host = device_host_free(play.host);
    FUZZ_CHECK(play.done == play.begun);
    (void)sd_event_unref(play.event);
    end_children();
    return 0;
}
