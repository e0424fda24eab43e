/* device play: a device host whose other side is the input of a fuzz target. */
#include "device_play.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS_PER_PIECE 64

static char folder[] = "/tmp/guestlink-device-fuzz-XXXXXX", program[64];

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

const char *device_play_folder(void)
{
    FILE *file;

    if (program[0])
        return folder;
    FUZZ_CHECK(mkdtemp(folder));
    FUZZ_CHECK(atexit(remove_folder) == 0);
    (void)snprintf(program, sizeof(program), "%s/serve", folder);
    file = fopen(program, "we");
    FUZZ_CHECK(file && fputs("#!/bin/sh\nexec sleep 60\n", file) >= 0 && fclose(file) == 0);
    FUZZ_CHECK(chmod(program, 0700) == 0);
    return folder;
}

static void on_done(void *userdata, const struct device_outcome *outcome)
{
    struct device_play *play = userdata;

    FUZZ_CHECK(outcome->text && outcome->error >= 0);
    play->done++;
}

static void note(struct device_play *play, int r)
{
    FUZZ_CHECK(r <= 0);
    play->begun += r == 0;
}

static void add_share(struct device_play *play, const char *tag)
{
    const struct device_share share = {.tag = tag,
                                       .path = folder,
                                       .iommu_platform = play->flags & DEVICE_PLAY_TOKEN,
                                       .options = ""};

    note(play, device_host_add_share(play->host, &share, on_done, play));
}

static void add_adapter(struct device_play *play, enum config_backend backend)
{
    static struct config_network network = {
        .id = (char *)"eth0", .interface = (char *)"br0", .socket_path = (char *)"/nonexistent"};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = play->flags & DEVICE_PLAY_TOKEN, .options = ""};

    network.backend = backend;
    note(play, device_host_add_adapter(play->host, &adapter, on_done, play));
}

static void begin(void *userdata)
{
    struct device_play *play = userdata;

    switch (play->flags & DEVICE_PLAY_OPERATION) {
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
        add_adapter(play, play->second);
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
    FUZZ_CHECK(text && strlen(text) < DEVICE_PLAY_LINE);
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

static void turn(struct device_play *play)
{
    for (int i = 0; i < TURNS_PER_PIECE && sd_event_run(play->event, 0) > 0; i++)
        ;
}

/* Reads what the device host asked, and notes the ids. */
static void hear(struct device_play *play)
{
    ssize_t n = recv(play->connection, play->requests + play->size,
                     sizeof(play->requests) - 1 - play->size, MSG_DONTWAIT);
    char *newline;

    play->size += n > 0 ? (size_t)n : 0;
    play->requests[play->size] = '\0';
    while ((newline = memchr(play->requests, '\n', play->size))) {
        const char *id = strstr(play->requests, "\"id\":");

        if (id && id < newline && play->open < DEVICE_PLAY_REQUESTS)
            play->ids[play->open++] = strtoll(id + 5, NULL, 10);
        play->size -= (size_t)(newline + 1 - play->requests);
        memmove(play->requests, newline + 1, play->size + 1);
    }
}

static void say(struct device_play *play, const char *data, size_t size)
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

static void say_line(struct device_play *play, const char *line, size_t size)
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

static void say_all(struct device_play *play, const char *data, size_t size)
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

void device_play_begin(struct device_play *play, const uint8_t *data, struct config_vm *vm)
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

    (void)device_play_folder();
    play->flags = data[0];
    play->random = data[1];
    vm->device_host.virtiofsd =
        play->flags & DEVICE_PLAY_VIRTIOFSD ? program : (char *)"/nonexistent";
    FUZZ_CHECK(sd_event_new(&play->event) >= 0);
    FUZZ_CHECK(device_host_new(play->event, vm, folder, NULL, &events, play, &play->host) == 0);
    turn(play);
}

void device_play_say(struct device_play *play, const char *greeting, const uint8_t *data,
                     size_t size)
{
    if (!(play->flags & DEVICE_PLAY_RAW))
        say_all(play, greeting, strlen(greeting));
    say_all(play, (const char *)data, size);
}

static void hang_up(struct device_play *play)
{
    if (play->connection >= 0)
        (void)close(play->connection);
    play->connection = -1;
}

void device_play_end(struct device_play *play)
{
    hang_up(play);
    turn(play);
    play->host = device_host_free(play->host);
    FUZZ_CHECK(play->done == play->begun);
    hang_up(play); /* a later one */
    (void)sd_event_unref(play->event);
    end_children();
}
