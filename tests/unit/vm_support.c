/* hostd VM: a guest at one end of a socket pair, and a VM at the other. */
#include "vm_support.h"

#include "base/clock.h"
#include "state/store.h"

#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct settings *configure(struct fixture *f, const char *more)
{
    char text[2048];
    struct config *config = NULL;

    (void)snprintf(text, sizeof(text),
                   "{\"listen\": [], \"state_dir\": \"%s\", \"telemetry\": {\"journal\": false,"
                   " \"file\": \"%s/t\"}, \"control\": \"%s/c\", \"vms\": [{\"name\": \"dev\","
                   " \"id\": \"11111111-2222-3333-4444-555555555555\", \"socket\": \"%s/s_1\","
                   " \"memory\": \"2G\", \"device_host\": {\"type\": \"none\"}, %s}]}",
                   f->folder, f->folder, f->folder, f->folder, more);
    assert_int_equal(config_parse(text, strlen(text), "test", NULL, NULL, NULL, &config), 0);
    return settings_new(config);
}

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    *state = f;
    f->guest = -1;
    folder_make(f->folder);
    if (sd_event_new(&f->services.event) < 0)
        return -1;
    f->settings =
        configure(f, "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\":"
                     " \"/a\"}, {\"tag\": \"b\", \"path\": \"/usr\", \"target\": \"/b\"}],"
                     " \"payload\": [\"/bin/true\"]");
    f->services.config = f->settings->config;
    f->handshakes = handshakes_new(&f->services);
    if (telemetry_new(&f->settings->config->telemetry, &f->services.telemetry) < 0 ||
        store_new(f->folder, &f->services.store) < 0)
        return -1;
    return vm_new(&f->services, f->settings, &f->settings->config->vms[0], &f->vm);
}

int tear_down(void **state)
{
    struct fixture *f = *state;

    f->handshakes = handshakes_free(f->handshakes);
    f->vm = vm_free(f->vm);
    if (f->guest >= 0)
        (void)close(f->guest);
    f->services.nobodys_dropped_timer =
        sd_event_source_disable_unref(f->services.nobodys_dropped_timer);
    f->services.store = store_free(f->services.store);
    f->services.telemetry = telemetry_free(f->services.telemetry);
    f->settings = settings_unref(f->settings);
    (void)sd_event_unref(f->services.event);
    folder_remove(f->folder);
    free(f);
    return 0;
}

void say(struct fixture *f, uint16_t type, uint16_t flags, uint32_t id, const uint8_t *payload,
         size_t size)
{
    uint8_t bytes[1024];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    size_t start = frame_begin(&writer, type, flags, id);

    wire_put_bytes(&writer, payload, size);
    assert_int_equal(frame_end(&writer, start), 0);
    assert_int_equal(write(f->guest, bytes, writer.size), writer.size);
}

void report(struct fixture *f, uint64_t pool)
{
    struct guest_capabilities c = {.features = CAPABILITIES_VIRTIOFS |
                                               CAPABILITIES_SWIOTLB_PUBLISHED | f->features,
                                   .swiotlb_base = 0x14000000,
                                   .swiotlb_size = pool,
                                   .boot_id = {f->boot},
                                   .kernel_release = "6.18.26.3",
                                   .init_version = "test"};
    uint8_t payload[256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    capabilities_pack(&writer, &c);
    say(f, FRAME_CAPABILITIES, 0, 1, payload, writer.size);
}

static void note_mount(struct fixture *f, char what, struct wire_text target)
{
    size_t used = strlen(f->mounts);

    (void)snprintf(f->mounts + used, sizeof(f->mounts) - used, "%c%.*s ", what, (int)target.size,
                   target.data);
}

/* @return what to answer, an errno */
static int judge_mount(struct fixture *f, const struct frame *frame)
{
    struct request_unmount unmount;
    struct request_mount mount;
    bool detach;

    if (frame->type == FRAME_MOUNT) {
        assert_int_equal(request_mount_unpack(frame->payload, frame->length, &mount), 0);
        note_mount(f, '+', mount.target);
        return f->answer;
    }
    assert_int_equal(request_unmount_unpack(frame->payload, frame->length, &unmount), 0);
    detach = unmount.flags & REQUEST_UNMOUNT_DETACH;
    note_mount(f, detach ? '!' : '-', unmount.target);
    return f->busy && !detach && strlen(f->busy) == unmount.target.size &&
                   memcmp(f->busy, unmount.target.data, unmount.target.size) == 0
               ? EBUSY
               : f->answer;
}

static void answer(struct fixture *f, const struct frame *frame)
{
    bool mounts = frame->type == FRAME_MOUNT || frame->type == FRAME_UNMOUNT;
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    if (frame->flags & FRAME_FLAG_ANSWER || frame->id == 0)
        return;
    f->asked[frame->type]++;
    result_pack(&writer, &(struct result){.error = mounts ? judge_mount(f, frame) : 0});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, frame->id, payload, writer.size);
}

void run(struct fixture *f)
{
    while (sd_event_run(f->services.event, 0) > 0)
        ;
}

void expire(struct fixture *f, sd_event_source *timer, uint64_t ms)
{
    uint64_t since_us = f->step_us, due_us;

    f->step_us = clock_now_us();
    assert_true(sd_event_source_get_enabled(timer, NULL) > 0);
    assert_true(sd_event_source_get_time(timer, &due_us) >= 0);
    assert_in_range(due_us, since_us + ms * 1000, f->step_us + (ms + 1) * 1000);
    assert_true(sd_event_source_set_time(timer, 1) >= 0);
    run(f);
}

void settle(struct fixture *f)
{
    static uint8_t bytes[65536];
    bool busy = true;

    while (busy) {
        size_t at = 0;
        ssize_t n;

        busy = sd_event_run(f->services.event, 2000) > 0;
        n = f->guest >= 0 ? recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT) : -1;
        while (n > 0 && at < (size_t)n) {
            struct frame frame;
            size_t size;

            assert_int_equal(frame_decode(bytes + at, (size_t)n - at, &frame, &size), 0);
            answer(f, &frame);
            at += size;
            busy = true;
        }
    }
}

void connect_guest(struct fixture *f, uint64_t pool)
{
    int pair[2];

    if (f->guest >= 0)
        (void)close(f->guest);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    f->guest = pair[1];
    memset(f->asked, 0, sizeof(f->asked));
    f->mounts[0] = '\0';
    handshake_begin(f->handshakes, pair[0], &(struct peer){.vsock = false}, f->vm);
    report(f, pool);
    settle(f);
}

void note_done(void *userdata, int error, const char *text)
{
    struct fixture *f = userdata;

    (void)text;
    f->done++;
    f->error = error;
}

FILE *capture_stderr(int *ret_saved)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    *ret_saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    return file;
}

const char *captured(FILE *file, int saved, char *text, size_t capacity)
{
    size_t size;

    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    rewind(file);
    size = fread(text, 1, capacity - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    return text;
}
