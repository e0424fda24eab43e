/* doors: which connections are a QEMU's, that nobody looks twice where it is known, and what is
 * said of a socket that cannot be opened. Sockets, QEMU, VMs and the clock are the test's. */
#include "descriptors.h"
#include "doors.h"
#include "guest/listener.h"
#include "guest/virtio_port.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vm_sockets.h>

/* For so long nobody else is at a door where no QEMU was. */
#define OTHER_US UINT64_C(10000000)
#define FD       4711

struct vm {
    struct config_vm config;
};

static struct {
    const struct listener_events *events;
    void *door;
    int open_error;
    char said[256];
    bool is_qemu;
    unsigned looks;
    uint64_t now_us;
    /* Of the port that waits. */
    void (*spoke)(void *userdata, int fd);
    void *spoke_userdata;
    unsigned ports, ports_ended;
    int port_error;
    char port_reason[64];
    /* Of the connection that was greeted last. */
    unsigned greeted;
    const struct vm *vm;
    struct peer peer;
    struct sockaddr_vm passed; /* a socket that is passed is one at this address */
} played;
static struct vm vm;
static struct registry *registry;
static struct doors *doors;
static struct services services;
static struct config config;

const struct config_vm *__wrap_vm_config(const struct vm *of);
struct vm *__wrap_vm_free(struct vm *of);
int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret);
int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret);
int __wrap_listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                               void *userdata, struct listener **ret);
struct listener *__wrap_listener_free(struct listener *listener);
void __wrap_handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer,
                            struct vm *of);
void __wrap_report_accept_paused(struct services *of, const char *reason);
bool __wrap_virtio_port_is_qemus(int fd);
int __wrap_virtio_port_new(sd_event *event, int fd, void (*spoke)(void *userdata, int fd),
                           void *userdata, struct virtio_port **ret_port);
struct virtio_port *__wrap_virtio_port_free(struct virtio_port *port);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);
void __wrap_log_line(int level, const char *format, ...);
void __wrap_config_tell_unreachable(const struct config *of, config_remark_fn on_warning,
                                    void *userdata);

const struct config_vm *__wrap_vm_config(const struct vm *of)
{
    return &of->config;
}

struct vm *__wrap_vm_free(struct vm *of)
{
    (void)of;
    return NULL;
}

static int listen_at(const struct listener_events *events, void *door, struct listener **ret)
{
    if (played.open_error != 0)
        return played.open_error;
    played.events = events;
    played.door = door;
    *ret = (struct listener *)&played; /* any address */
    return 0;
}

int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret)
{
    (void)event;
    (void)path;
    return listen_at(events, userdata, ret);
}

int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret)
{
    (void)event;
    (void)cid;
    (void)port;
    return listen_at(events, userdata, ret);
}

int __wrap_listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                               void *userdata, struct listener **ret)
{
    (void)event;
    (void)close(fd);
    return listen_at(events, userdata, ret);
}

struct listener *__wrap_listener_free(struct listener *listener)
{
    (void)listener;
    return NULL;
}

void __wrap_handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer,
                            struct vm *of)
{
    (void)handshakes;
    assert_int_equal(fd, FD);
    played.greeted++;
    played.vm = of;
    played.peer = *peer;
}

void __wrap_report_accept_paused(struct services *of, const char *reason)
{
    assert_ptr_equal(of, &services);
    (void)snprintf(played.port_reason, sizeof(played.port_reason), "%s", reason);
}

bool __wrap_virtio_port_is_qemus(int fd)
{
    assert_int_equal(fd, FD);
    played.looks++;
    return played.is_qemu;
}

int __wrap_virtio_port_new(sd_event *event, int fd, void (*spoke)(void *userdata, int fd),
                           void *userdata, struct virtio_port **ret_port)
{
    (void)event;
    assert_int_equal(fd, FD);
    if (played.port_error != 0)
        return played.port_error;
    played.ports++;
    played.spoke = spoke;
    played.spoke_userdata = userdata;
    *ret_port = (struct virtio_port *)&played;
    return 0;
}

struct virtio_port *__wrap_virtio_port_free(struct virtio_port *port)
{
    if (port)
        played.ports_ended++;
    return NULL;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    assert_int_equal(clock, CLOCK_MONOTONIC_COARSE);
    *time = (struct timespec){.tv_sec = (time_t)(played.now_us / 1000000),
                              .tv_nsec = (long)(played.now_us % 1000000 * 1000)};
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    (void)fd;
    assert_true(*size >= sizeof(played.passed));
    memcpy(address, &played.passed, sizeof(played.passed));
    *size = sizeof(played.passed);
    return 0;
}

void __wrap_log_line(int level, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(level, 3); /* an error */
    va_start(arguments, format);
    (void)vsnprintf(played.said, sizeof(played.said), format, arguments);
    va_end(arguments);
}

void __wrap_config_tell_unreachable(const struct config *of, config_remark_fn on_warning,
                                    void *userdata)
{
    (void)of;
    (void)on_warning;
    (void)userdata;
}

static int update(const char *listen)
{
    char *items[] = {(char *)(uintptr_t)listen};

    config.listen = (struct config_strings){.items = items, .count = 1};
    return doors_update(doors);
}

static int set_up(void **state)
{
    struct vm *const pointers[] = {&vm};

    (void)state;
    memset(&played, 0, sizeof(played));
    played.now_us = 5000000;
    vm.config = (struct config_vm){.name = (char[]){"a"}, .id = "id", .cid = 7};
    services = (struct services){.config = &config};
    registry = registry_new();
    doors = doors_new(&services, registry, NULL);
    if (!registry || !doors || registry_reserve(registry, 1) < 0)
        return -1;
    registry_replace(registry, pointers, 1);
    return update("unix:/s");
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(doors_free(doors));
    assert_int_equal(played.ports_ended, played.ports);
    assert_null(registry_free(registry));
    return 0;
}

/* Somebody connects. */
static void call(bool vsock)
{
    const struct peer peer = {.vsock = vsock, .cid = vsock ? 7 : 0, .port = vsock ? 1023 : 0};

    played.events->accepted(played.door, FD, &peer);
}

static void qemus_connection_waits_for_its_guest(void **state)
{
    (void)state;
    played.is_qemu = true;
    call(false);
    assert_int_equal(played.ports, 1);
    assert_int_equal(played.greeted, 0);
    played.spoke(played.spoke_userdata, FD);
    assert_int_equal(played.greeted, 1);
    assert_ptr_equal(played.vm, &vm);
    assert_false(played.peer.vsock);
}

static void newer_connection_of_qemus_is_in_the_olders_place(void **state)
{
    (void)state;
    played.is_qemu = true;
    call(false);
    assert_int_equal(played.ports_ended, 0);
    call(false);
    assert_int_equal(played.ports, 2);
    assert_int_equal(played.ports_ended, 1);
    played.port_error = -ENOMEM; /* the older one went, the newer one did not come */
    call(false);
    assert_int_equal(played.ports_ended, 2);
    assert_string_equal(played.port_reason, "Cannot allocate memory");
    assert_int_equal(played.greeted, 0);
}

static void who_is_no_qemu_is_greeted_at_once(void **state)
{
    (void)state;
    call(false);
    assert_int_equal(played.looks, 1);
    assert_int_equal(played.greeted, 1);
    assert_int_equal(played.ports, 0);
    assert_ptr_equal(played.vm, &vm);
}

/* Each call of a vsock device's pays for no look, and lengthens the time. */
static void nobody_looks_again_where_no_qemu_was(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        call(false);
        assert_int_equal(played.looks, 1);
        assert_int_equal(played.greeted, i + 1);
        played.now_us += OTHER_US - 1;
    }
    played.is_qemu = true;
    call(false);
    assert_int_equal(played.looks, 1);
    assert_int_equal(played.ports, 0);
    played.now_us += OTHER_US;
    call(false);
    assert_int_equal(played.looks, 2);
    assert_int_equal(played.ports, 1);
    call(false); /* of a QEMU it is looked at each time */
    assert_int_equal(played.looks, 3);
    assert_int_equal(played.ports, 2);
}

/* Nobody is behind the door, or the CID says who calls. */
static void where_no_qemu_can_be_nobody_looks(void **state)
{
    struct vm *const pointers[] = {&vm};

    (void)state;
    played.is_qemu = true;
    registry_replace(registry, NULL, 0);
    assert_int_equal(update("unix:/s"), 0);
    call(false);
    assert_null(played.vm);
    registry_replace(registry, pointers, 1);
    assert_int_equal(update("vsock::50000"), 0);
    call(true);
    assert_ptr_equal(played.vm, &vm);
    assert_int_equal(played.peer.port, 1023);
    assert_int_equal(played.looks, 0);
    assert_int_equal(played.ports, 0);
    assert_int_equal(played.greeted, 2);
}

static void vsock_that_was_passed_is_known_by_its_address(void **state)
{
    (void)state;
    played.passed = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 50000};
    assert_int_equal(doors_consume_fd(doors, open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
    played.open_error = -EADDRINUSE; /* it is not opened a second time */
    assert_int_equal(update("vsock:2:50000"), 0);
    assert_int_equal(update("vsock:2:50001"), -EADDRINUSE);
    assert_int_equal(update("vsock:3:50000"), -EADDRINUSE);
    assert_int_equal(update("vsock:2:50000"), 0); /* it has stayed */
}

static void why_a_socket_cannot_be_opened_is_said(void **state)
{
    static const struct {
        const char *listen;
        int error;
        const char *said;
    } cases[] = {
        {"unix:/t", EADDRINUSE, "cannot listen on unix:/t: another program is listening there"},
        {"unix:/t", EEXIST,
         "cannot listen on unix:/t: a file of that name exists and is not a socket"},
        {"unix:/t", ENOENT, "cannot listen on unix:/t: the directory does not exist"},
        {"unix:/t", EACCES, "cannot listen on unix:/t: Permission denied"},
        {"vsock:2:5", EADDRINUSE,
         "cannot listen on vsock port 5: another program is listening there"},
        {"vsock:2:5", EAFNOSUPPORT,
         "cannot listen on vsock port 5: this kernel has no AF_VSOCK; load the module vhost_vsock"},
    };

    (void)state;
    assert_string_equal(played.said, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        played.said[0] = '\0';
        played.open_error = -cases[i].error;
        assert_int_equal(update(cases[i].listen), -cases[i].error);
        assert_string_equal(played.said, cases[i].said);
    }
    played.said[0] = '\0';
    played.open_error = 0;
    assert_int_equal(update("unix:/t"), 0);
    assert_int_equal(update("vsock:2:5"), 0);
    assert_string_equal(played.said, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(qemus_connection_waits_for_its_guest),
        TEST(newer_connection_of_qemus_is_in_the_olders_place),
        TEST(who_is_no_qemu_is_greeted_at_once),
        TEST(nobody_looks_again_where_no_qemu_was),
        TEST(where_no_qemu_can_be_nobody_looks),
        TEST(vsock_that_was_passed_is_known_by_its_address),
        TEST(why_a_socket_cannot_be_opened_is_said),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
