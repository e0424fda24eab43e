/* hostd share mount: what the guest is asked, and what becomes of its answer. A share over 9P has a
 * listener that is real, and servers that are the test's. */
#include "base/limits.h"
#include "device/p9_server.h"
#include "telemetry/telemetry.h"
#include "vm/share.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define POOL UINT64_C(67108864)

/* The one that runs. */
static struct {
    p9_server_ended_fn ended;
    void *userdata;
} server;

int __wrap_p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                         p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server);
int __wrap_p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                         p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server)
{
    (void)event;
    assert_string_equal(path, "/usr");
    assert_true(read_only);
    (void)close(fd);
    server.ended = ended;
    server.userdata = userdata;
    *ret_server = (struct p9_server *)&server;
    return 0;
}

struct p9_server *__wrap_p9_server_free(struct p9_server *freed);
struct p9_server *__wrap_p9_server_free(struct p9_server *freed)
{
    (void)freed;
    return NULL;
}

struct p9_server *__wrap_p9_server_release(struct p9_server *released);
struct p9_server *__wrap_p9_server_release(struct p9_server *released)
{
    (void)released;
    return NULL;
}

/* What the guest was asked last, and has not answered. */
static struct {
    uint32_t id;
    uint16_t type;
    struct request_mount mount;
    char tag[64], target[64];
} asked;

static void copy(char *to, size_t capacity, struct wire_text text)
{
    (void)snprintf(to, capacity, "%.*s", (int)text.size, text.data);
}

static void answer(struct fixture *f, int error, const char *text)
{
    uint8_t payload[256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    assert_int_not_equal(asked.id, 0);
    result_pack(&writer, &(struct result){.error = error, .text = wire_text_of(text)});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, asked.id, payload, writer.size);
    asked.id = 0;
    run(f);
}

/* Notes the request of that type, and answers all others. */
static void hear(struct fixture *f, uint16_t type)
{
    uint8_t bytes[8192];
    ssize_t n;

    run(f);
    asked.id = 0;
    n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    for (size_t at = 0, size; n > 0 && at < (size_t)n; at += size) {
        struct frame frame;

        assert_int_equal(frame_decode(bytes + at, (size_t)n - at, &frame, &size), 0);
        if (frame.type != type || frame.flags & FRAME_FLAG_ANSWER)
            continue;
        assert_int_equal(asked.id, 0);
        asked.id = frame.id;
        asked.type = frame.type;
        if (type != FRAME_MOUNT)
            continue;
        assert_int_equal(request_mount_unpack(frame.payload, frame.length, &asked.mount), 0);
        copy(asked.tag, sizeof(asked.tag), asked.mount.tag);
        copy(asked.target, sizeof(asked.target), asked.mount.target);
    }
    assert_int_not_equal(asked.id, 0);
}

static char told[1024];
static int told_error;

static void on_done(void *userdata, int error, const char *text)
{
    (void)userdata;
    told_error = error;
    (void)snprintf(told, sizeof(told), "%s", text);
}

static struct vm_share_view view_of(const struct fixture *f, size_t index)
{
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    return share;
}

static uint64_t count(const struct fixture *f, enum telemetry_event event)
{
    return telemetry_count(f->services.telemetry, event);
}

/* A share of the configuration: a failed one stays to be seen. */
static void mount_9p(struct fixture *f)
{
    const struct config_share config = {.tag = (char *)"p",
                                        .path = (char *)"/usr",
                                        .target = (char *)"/p",
                                        .read_only = true,
                                        .transport = CONFIG_TRANSPORT_9P};
    struct share *share;

    f->features = CAPABILITIES_9P;
    connect_guest(f, POOL);
    f->vm->policy.p9 = true;
    f->settings->config->vms[0].timeouts.mount = 77000;
    assert_int_equal(share_new(f->vm, &config, true, &share), 0);
    vm_wake(f->vm);
    hear(f, FRAME_MOUNT);
}

static int set_up_here(void **state)
{
    memset(&server, 0, sizeof(server));
    memset(&asked, 0, sizeof(asked));
    told_error = -1;
    told[0] = '\0';
    return set_up(state);
}

/* The guest connects to the share's port. */
static void serve(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s_%u", f->folder,
                   asked.mount.port);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    run(f);
    (void)close(fd);
    assert_non_null(server.ended);
}

static void end_server(const char *text)
{
    server.ended(server.userdata, text);
}

static void share_over_9p_has_its_port(void **state)
{
    struct fixture *f = *state;

    mount_9p(f);
    assert_int_equal(asked.mount.transport, REQUEST_TRANSPORT_9P);
    assert_int_equal(asked.mount.flags, REQUEST_MOUNT_READ_ONLY);
    assert_int_equal(asked.mount.timeout_ms, 77000);
    assert_string_equal(asked.tag, "p");
    assert_string_equal(asked.target, "/p");
    assert_int_equal(view_of(f, 2).port, asked.mount.port);
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_SETTING);
    serve(f);
    answer(f, 0, "");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void share_over_virtiofs_has_its_devices_tag(void **state)
{
    const struct config_share config = {
        .tag = (char *)"c", .path = (char *)"/usr", .target = (char *)"/c"};
    struct fixture *f = *state;
    uint64_t mounts;

    connect_guest(f, POOL);
    mounts = f->services.latencies.mount.count;
    assert_int_equal(vm_add_share(f->vm, &config, on_done, f), 0);
    hear(f, FRAME_MOUNT);
    assert_int_equal(asked.mount.transport, REQUEST_TRANSPORT_VIRTIOFS);
    assert_int_equal(asked.mount.flags, 0);
    assert_int_equal(asked.mount.port, 0);
    assert_string_equal(asked.tag, "a"); /* one of the same folder */
    assert_string_equal(asked.target, "/c");
    answer(f, 0, "");
    assert_int_equal(told_error, 0);
    assert_int_equal(f->services.latencies.mount.count, mounts + 1);
    assert_int_equal(count(f, TELEMETRY_MOUNT_SHARE), 3);
}

/* The guest knows only that nobody answered. */
static void mount_that_fails_has_the_servers_reason(void **state)
{
    struct fixture *f = *state;

    mount_9p(f);
    serve(f);
    end_server("diod: no such user");
    answer(f, EIO, "cannot mount");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_FAILED);
    assert_string_equal(view_of(f, 2).error, "cannot mount; diod: no such user");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
}

static void reason_of_a_server_that_ends_later_is_the_better_one(void **state)
{
    struct fixture *f = *state;

    mount_9p(f);
    serve(f);
    answer(f, EIO, "cannot mount");
    assert_string_equal(view_of(f, 2).error, "cannot mount");
    end_server("diod: no such user");
    assert_string_equal(view_of(f, 2).error, "diod: no such user");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 2);
}

static void server_that_ends_is_no_failure_of_a_mounted_share(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    FILE *file;
    int saved;

    mount_9p(f);
    serve(f);
    answer(f, 0, "");
    file = capture_stderr(&saved);
    end_server("exit status 0");
    assert_non_null(strstr(captured(file, saved, text, sizeof(text)),
                           "the server of a 9P connection exited: exit status 0"));
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
    assert_string_equal(view_of(f, 2).error, "");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

/* Nor of one that is just being mounted: the guest's answer decides. */
static void server_that_ends_meanwhile_leaves_it_to_the_guest(void **state)
{
    struct fixture *f = *state;

    mount_9p(f);
    serve(f);
    end_server("exit status 0");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_SETTING);
    answer(f, 0, "");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void mount_that_takes_too_long_is_told_as_that(void **state)
{
    static const struct {
        int error;
        uint64_t timeouts;
    } rows[] = {{ETIMEDOUT, 1}, {EIO, 0}, {ECONNRESET, 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        mount_9p(f);
        answer(f, rows[i].error, "why");
        assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), rows[i].timeouts);
        assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
        assert_int_equal(count(f, TELEMETRY_MOUNT_SHARE), 3);
        assert_int_equal(tear_down(state), 0);
    }
}

static void guest_that_leaves_mounts_it_when_it_is_back(void **state)
{
    const struct config_share config = {
        .tag = (char *)"c", .path = (char *)"/usr", .target = (char *)"/c"};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &config, on_done, f), 0);
    hear(f, FRAME_MOUNT);
    (void)close(f->guest);
    f->guest = -1;
    run(f);
    assert_int_equal(told_error, 0);
    assert_non_null(strstr(told, "will mount the share when it reconnects"));
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_WAITING);
    assert_int_equal(count(f, TELEMETRY_MOUNT_SHARE), 2);
    connect_guest(f, POOL);
    assert_string_equal(f->mounts, "+/c ");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
}

/* After some answers nothing of ours is there; after others it stays. */
static void share_that_cannot_be_unmounted_stays(void **state)
{
    static const struct {
        int error;
        bool stays;
    } rows[] = {
        {0, false},    {EINVAL, false}, {ENOENT, false},   {ENOTDIR, false},
        {EBUSY, true}, {EIO, true},     {ETIMEDOUT, true}, {ECONNRESET, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vm_view view;
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        connect_guest(f, POOL);
        assert_int_equal(vm_remove_share(f->vm, "b", on_done, f), 0);
        hear(f, FRAME_UNMOUNT);
        assert_int_equal(view_of(f, 1).state, VM_DEVICE_RELEASING);
        answer(f, rows[i].error, "why");
        assert_int_equal(told_error, !rows[i].stays                ? 0
                                     : rows[i].error == ECONNRESET ? EIO
                                                                   : rows[i].error);
        assert_string_equal(told, rows[i].stays ? "why" : "");
        assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), rows[i].stays);
        vm_get_view(f->vm, &view);
        assert_int_equal(view.share_count, rows[i].stays ? 2 : 1);
        if (rows[i].stays)
            assert_int_equal(view_of(f, 1).state, VM_DEVICE_IN_USE);
        assert_int_equal(tear_down(state), 0);
    }
}

/* Its port is another one's then, or the same: it is told with the mount. */
static void each_boot_mounts_it_again(void **state)
{
    struct fixture *f = *state;

    mount_9p(f);
    answer(f, 0, "");
    connect_guest(f, POOL);
    assert_string_equal(f->mounts, "");
    f->boot = 2;
    connect_guest(f, POOL);
    assert_string_equal(f->mounts, "+/a +/b +/p ");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
    assert_int_equal(f->vm->p9.shares, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_here, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(share_over_9p_has_its_port),
        TEST(share_over_virtiofs_has_its_devices_tag),
        TEST(mount_that_fails_has_the_servers_reason),
        TEST(reason_of_a_server_that_ends_later_is_the_better_one),
        TEST(server_that_ends_is_no_failure_of_a_mounted_share),
        TEST(server_that_ends_meanwhile_leaves_it_to_the_guest),
        cmocka_unit_test(mount_that_takes_too_long_is_told_as_that),
        TEST(guest_that_leaves_mounts_it_when_it_is_back),
        cmocka_unit_test(share_that_cannot_be_unmounted_stays),
        TEST(each_boot_mounts_it_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
