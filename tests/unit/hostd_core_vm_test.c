/* hostd VM: a guest at one end of a socket pair, a device host that only records at the other. */
#include "base/clock.h"
#include "config/settings.h"
#include "handshake.h"
#include "state/store.h"
#include "vm/p9_share.h"
#include "vm/vm_life.h"

#include "protocol/request.h"
#include "protocol/result.h"
#include "protocol/welcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    struct services services;
    struct settings *settings;
    struct handshakes *handshakes;
    struct vm *vm;
    int guest; /* its end of the connection, or -1 */
    uint8_t boot;
    /* how many requests of each type the guest has answered */
    unsigned asked[64];
    int answer; /* what it answers to MOUNT and UNMOUNT, an errno */
    unsigned done;
    int error;
};

static struct settings *configure(struct fixture *f, const char *more)
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

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    *state = f;
    f->guest = -1;
    (void)strcpy(f->folder, "/tmp/guestlink-vm-XXXXXX");
    if (!mkdtemp(f->folder) || sd_event_new(&f->services.event) < 0)
        return -1;
    f->settings =
        configure(f, "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\":"
                     " \"/a\"}, {\"tag\": \"b\", \"path\": \"/usr\", \"target\": \"/b\"}],"
                     " \"payload\": [\"/bin/true\"]");
    f->services.config = f->settings->config;
    f->services.ports = p9_ports_new();
    f->handshakes = handshakes_new(&f->services);
    if (telemetry_new(&f->settings->config->telemetry, &f->services.telemetry) < 0 ||
        store_new(f->folder, &f->services.store) < 0)
        return -1;
    return vm_new(&f->services, f->settings, &f->settings->config->vms[0], &f->vm);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    f->handshakes = handshakes_free(f->handshakes);
    f->vm = vm_free(f->vm);
    if (f->guest >= 0)
        (void)close(f->guest);
    f->services.ports = p9_ports_free(f->services.ports);
    f->services.store = store_free(f->services.store);
    f->services.telemetry = telemetry_free(f->services.telemetry);
    f->settings = settings_unref(f->settings);
    (void)sd_event_unref(f->services.event);
    (void)snprintf(command, sizeof(command), "rm -r %s", f->folder);
    free(f);
    return system(command); // NOLINT(cert-env33-c): a test's own directory
}

static void say(struct fixture *f, uint16_t type, uint16_t flags, uint32_t id,
                const uint8_t *payload, size_t size)
{
    uint8_t bytes[1024];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    size_t start = frame_begin(&writer, type, flags, id);

    wire_put_bytes(&writer, payload, size);
    assert_int_equal(frame_end(&writer, start), 0);
    assert_int_equal(write(f->guest, bytes, writer.size), writer.size);
}

static void report(struct fixture *f, uint64_t pool)
{
    struct guest_capabilities c = {.features =
                                       CAPABILITIES_VIRTIOFS | CAPABILITIES_SWIOTLB_PUBLISHED,
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

static void answer(struct fixture *f, const struct frame *frame)
{
    bool mounts = frame->type == FRAME_MOUNT || frame->type == FRAME_UNMOUNT;
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    if (frame->flags & FRAME_FLAG_ANSWER || frame->id == 0)
        return;
    f->asked[frame->type]++;
    result_pack(&writer, &(struct result){.error = mounts ? f->answer : 0});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, frame->id, payload, writer.size);
}

/* Runs both ends until neither has anything more to say. */
static void settle(struct fixture *f)
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

static void connect_guest(struct fixture *f, uint64_t pool)
{
    int pair[2];

    if (f->guest >= 0)
        (void)close(f->guest);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    f->guest = pair[1];
    memset(f->asked, 0, sizeof(f->asked));
    handshake_begin(f->handshakes, pair[0], &(struct peer){.vsock = false}, f->vm);
    report(f, pool);
    settle(f);
}

static const char *options_of(struct fixture *f, size_t index)
{
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    assert_int_equal(share.state, VM_DEVICE_IN_USE);
    return share.options;
}

static void a_boot_mounts_starts_and_completes(void **state)
{
    struct fixture *f = *state;
    struct vm_share_view share;
    struct vm_view view;

    connect_guest(f, 67108864);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_CONNECTED);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
    assert_int_equal(view.payload.state, VM_PAYLOAD_RUNNING);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 1);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
    assert_string_equal(options_of(f, 0),
                        "swiotlb=0x14000000,67108864;vmId=11111111-2222-3333-4444-555555555555");
    /* equal shares use one device */
    vm_get_share(f->vm, 1, &share);
    assert_string_equal(share.device, "a");
}

static void the_same_boot_starts_nothing_twice(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    connect_guest(f, 67108864);
    assert_int_equal(f->asked[FRAME_MOUNT], 0);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 0);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
}

static void another_boot_brings_devices_in_line_with_its_token(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    f->boot = 2;
    connect_guest(f, 4096);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 1);
    assert_string_equal(options_of(f, 0),
                        "swiotlb=0x14000000,4096;vmId=11111111-2222-3333-4444-555555555555");
    f->boot = 3;
    connect_guest(f, 0);
    assert_string_equal(options_of(f, 1), "vmId=11111111-2222-3333-4444-555555555555");
}

static void what_was_started_is_remembered_by_the_next_daemon(void **state)
{
    struct fixture *f = *state;
    const struct config_vm *config = &f->settings->config->vms[0];
    struct vm_view view;

    connect_guest(f, 67108864);
    f->vm = vm_free(f->vm);
    assert_int_equal(vm_new(&f->services, f->settings, config, &f->vm), 0);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_LOST);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
    connect_guest(f, 67108864);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 0);
    connect_guest(f, 4096);
    vm_get_view(f->vm, &view);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
}

static void on_done(void *userdata, int error, const char *text)
{
    struct fixture *f = userdata;

    (void)text;
    f->done++;
    f->error = error;
}

static int add(struct fixture *f, const char *path)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)path, .target = (char *)"/new"};

    return vm_add_share(f->vm, &share, on_done, f);
}

static void shares_come_and_go_at_runtime(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/tmp"), 0);
    assert_int_equal(f->done, 0);
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    assert_int_equal(add(f, "/tmp"), -EEXIST);
    assert_int_equal(vm_remove_share(f->vm, "none", on_done, f), -ENOENT);
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), 0);
    assert_int_equal(f->done, 1);
    settle(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, 0);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 1);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, 2);
}

static void a_share_that_cannot_be_made_is_gone_again(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/no/such/folder"), 0);
    settle(f);
    assert_int_equal(f->error, ENOENT);
    f->answer = EIO;
    assert_int_equal(add(f, "/tmp"), 0);
    settle(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, EIO);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, 2);
    assert_int_equal(add(f, "relative"), -EINVAL);
    assert_int_equal(add(f, "/a;b"), -EINVAL);
}

static void a_busy_share_stays(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    f->answer = EBUSY;
    assert_int_equal(vm_remove_share(f->vm, "a", on_done, f), 0);
    settle(f);
    assert_int_equal(f->error, EBUSY);
    (void)options_of(f, 0);
}

static void who_goes_away_is_not_called(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/tmp"), 0);
    vm_forget(f->vm, f);
    settle(f);
    assert_int_equal(f->done, 0);
    assert_int_equal(vm_remove_share(f->vm, "new", NULL, NULL), 0);
}

static void a_changed_configuration_changes_only_what_it_says(void **state)
{
    struct fixture *f = *state;
    struct settings *next =
        configure(f, "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\": \"/a\"},"
                     " {\"tag\": \"b\", \"path\": \"/tmp\", \"target\": \"/b\"}]");
    struct vm_share_view share;

    connect_guest(f, 67108864);
    memset(f->asked, 0, sizeof(f->asked));
    vm_change(f->vm, next, &next->config->vms[0]);
    settle(f);
    /* b went and came anew, with a device of its own; a was left alone */
    assert_int_equal(f->asked[FRAME_UNMOUNT], 1);
    assert_int_equal(f->asked[FRAME_MOUNT], 1);
    vm_get_share(f->vm, 1, &share);
    assert_string_equal(share.path, "/tmp");
    assert_string_equal(share.device, "b");
    (void)options_of(f, 1);
    (void)settings_unref(next);
}

static void a_guest_that_leaves_ends_what_waits_for_it(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(vm_shut_down(f->vm, false, 0, on_done, f), 0);
    (void)close(f->guest);
    f->guest = -1;
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_LOST);
    assert_int_equal(view.connections, 0);
    assert_int_equal(vm_shut_down(f->vm, false, 0, on_done, f), -ENOTCONN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_boot_mounts_starts_and_completes),
        TEST(the_same_boot_starts_nothing_twice),
        TEST(another_boot_brings_devices_in_line_with_its_token),
        TEST(what_was_started_is_remembered_by_the_next_daemon),
        TEST(shares_come_and_go_at_runtime),
        TEST(a_share_that_cannot_be_made_is_gone_again),
        TEST(a_busy_share_stays),
        TEST(who_goes_away_is_not_called),
        TEST(a_changed_configuration_changes_only_what_it_says),
        TEST(a_guest_that_leaves_ends_what_waits_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
