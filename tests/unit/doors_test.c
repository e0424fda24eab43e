/* doors: which sockets are open, and which VM stands behind each, as the configuration and the VMs
 * change. The sockets and the VMs are the test's. */
#include "descriptors.h"
#include "doors.h"
#include "guest/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY ((struct vm *)-1)

struct vm {
    struct config_vm config;
};

struct listener {
    const struct listener_events *events;
    void *userdata;
    char name[32]; /* "unix:PATH", "vsock:CID:PORT", "passed"; "": it is closed */
};

static struct vm vms[2];
static struct listener listeners[32];
static unsigned opened;
static const char *broken; /* this one cannot be opened */
static struct registry *registry;
static struct doors *doors;
static struct services services;
static struct config config;
static struct vm *greeted;
static unsigned unreachables, pauses;

const struct config_vm *__wrap_vm_config(const struct vm *vm);
const struct config_vm *__wrap_vm_config(const struct vm *vm)
{
    return &vm->config;
}

struct vm *__wrap_vm_free(struct vm *vm);
struct vm *__wrap_vm_free(struct vm *vm)
{
    (void)vm;
    return NULL;
}

static int open_listener(const char *name, const struct listener_events *events, void *userdata,
                         struct listener **ret)
{
    if (broken && strcmp(name, broken) == 0)
        return -EADDRINUSE;
    if (strcmp(name, "unix:/forbidden") == 0)
        return -EACCES;
    listeners[opened] = (struct listener){.events = events, .userdata = userdata};
    (void)snprintf(listeners[opened].name, sizeof(listeners[opened].name), "%s", name);
    *ret = &listeners[opened++];
    return 0;
}

int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret);
int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret)
{
    char name[32];

    (void)event;
    (void)snprintf(name, sizeof(name), "unix:%s", path);
    return open_listener(name, events, userdata, ret);
}

int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret);
int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret)
{
    char name[32];

    (void)event;
    (void)snprintf(name, sizeof(name), "vsock:%u:%u", cid, port);
    return open_listener(name, events, userdata, ret);
}

int __wrap_listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                               void *userdata, struct listener **ret);
int __wrap_listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                               void *userdata, struct listener **ret)
{
    (void)event;
    (void)close(fd);
    return open_listener("passed", events, userdata, ret);
}

struct listener *__wrap_listener_free(struct listener *listener);
struct listener *__wrap_listener_free(struct listener *listener)
{
    if (listener)
        listener->name[0] = '\0';
    return NULL;
}

void __wrap_handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer,
                            struct vm *vm);
void __wrap_handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer,
                            struct vm *vm)
{
    (void)handshakes;
    (void)peer;
    assert_int_equal(fd, 4711);
    greeted = vm;
}

void __wrap_config_tell_unreachable(const struct config *of, config_remark_fn on_warning,
                                    void *userdata);
void __wrap_config_tell_unreachable(const struct config *of, config_remark_fn on_warning,
                                    void *userdata)
{
    assert_ptr_equal(of, &config);
    (void)on_warning;
    (void)userdata;
    unreachables++;
}

void __wrap_report_accept_paused(struct services *of, const char *reason);
void __wrap_report_accept_paused(struct services *of, const char *reason)
{
    assert_ptr_equal(of, &services);
    assert_string_equal(reason, "Too many open files");
    pauses++;
}

/* The registry has so many VMs. */
static void have(size_t count)
{
    struct vm *const pointers[] = {&vms[0], &vms[1]};

    registry_replace(registry, pointers, count);
}

static int set_up(void **state)
{
    (void)state;
    memset(vms, 0, sizeof(vms));
    for (unsigned i = 0; i < 2; i++) {
        vms[i].config.name = (char *)(i ? "b" : "a");
        (void)snprintf(vms[i].config.id, sizeof(vms[i].config.id), "id%u", i);
        vms[i].config.cid = 7 + i;
    }
    memset(listeners, 0, sizeof(listeners));
    opened = unreachables = pauses = 0;
    broken = NULL;
    config = (struct config){0};
    services = (struct services){.config = &config};
    registry = registry_new();
    doors = doors_new(&services, registry, NULL);
    return registry && doors ? registry_reserve(registry, 2) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(doors_free(doors));
    for (unsigned i = 0; i < opened; i++)
        assert_string_equal(listeners[i].name, "");
    assert_null(registry_free(registry));
    return 0;
}

static int update(const char *one, const char *two)
{
    char *items[] = {(char *)one, (char *)two};

    config.listen = (struct config_strings){.items = items, .count = (size_t) !!one + !!two};
    return doors_update(doors);
}

/* @return the open one of that name, which there is once; NULL: none */
static struct listener *find(const char *name)
{
    struct listener *found = NULL;

    for (unsigned i = 0; i < opened; i++) {
        if (strcmp(listeners[i].name, name) != 0)
            continue;
        assert_null(found);
        found = &listeners[i];
    }
    return found;
}

/* Who is behind a door, for a connection from that CID (0: none)? NOBODY: it is closed */
static struct vm *behind(const char *name, uint32_t cid)
{
    const struct listener *listener = find(name);

    if (!listener)
        return NOBODY;
    greeted = NOBODY;
    listener->events->accepted(listener->userdata, 4711,
                               &(struct peer){.vsock = cid != 0, .cid = cid});
    return greeted;
}

static void behind_vsock_the_cid_names_the_vm(void **state)
{
    (void)state;
    have(2);
    assert_int_equal(update("vsock::50000", NULL), 0);
    assert_ptr_equal(behind("vsock:4294967295:50000", 7), &vms[0]);
    assert_ptr_equal(behind("vsock:4294967295:50000", 8), &vms[1]);
    assert_null(behind("vsock:4294967295:50000", 9));
    have(1);
    assert_int_equal(update("vsock::50000", NULL), 0);
    assert_null(behind("vsock:4294967295:50000", 8));
    assert_int_equal(opened, 1); /* it stayed open */
    assert_int_equal(unreachables, 0);
}

static void behind_a_shared_socket_is_the_only_vm(void **state)
{
    (void)state;
    have(1);
    assert_int_equal(update("unix:/s", NULL), 0);
    assert_ptr_equal(behind("unix:/s", 0), &vms[0]);
    have(2);
    assert_int_equal(update("unix:/s", NULL), 0);
    assert_null(behind("unix:/s", 0));
    have(0);
    assert_int_equal(update("unix:/s", NULL), 0);
    assert_null(behind("unix:/s", 0));
    assert_int_equal(opened, 1);
    assert_int_equal(unreachables, 3); /* once at each update: the VMs are told by the config */
}

static void behind_a_vms_own_socket_is_that_vm(void **state)
{
    (void)state;
    vms[1].config.socket = (char *)"/own";
    have(2);
    assert_int_equal(update("unix:/s", "unix:/own"), 0);
    assert_ptr_equal(behind("unix:/own", 0), &vms[1]);
    assert_null(behind("unix:/s", 0));
    have(1); /* the other one's is shared now */
    assert_int_equal(update("unix:/s", "unix:/own"), 0);
    assert_ptr_equal(behind("unix:/own", 0), &vms[0]);
    assert_int_equal(update("unix:/s", NULL), 0);
    assert_ptr_equal(behind("unix:/own", 0), NOBODY);
}

static void what_is_asked_for_no_more_is_closed(void **state)
{
    (void)state;
    have(1);
    assert_int_equal(update("vsock:2:5", "vsock:2:6"), 0);
    assert_int_equal(update("vsock:2:6", "vsock:3:6"), 0);
    assert_null(find("vsock:2:5"));
    assert_non_null(find("vsock:2:6"));
    assert_non_null(find("vsock:3:6"));
    assert_int_equal(opened, 3);
    assert_int_equal(update(NULL, NULL), 0);
    assert_null(find("vsock:2:6"));
}

static void the_others_open_if_one_cannot(void **state)
{
    (void)state;
    vms[0].config.socket = (char *)"/own";
    have(1);
    broken = "unix:/s";
    assert_int_equal(update("unix:/s", "vsock:2:5"), -EADDRINUSE);
    assert_null(find("unix:/s"));
    assert_non_null(find("vsock:2:5"));
    assert_non_null(find("unix:/own"));
    broken = "unix:/own";
    assert_int_equal(update("nonsense", "unix:/s"), -EINVAL);
    assert_ptr_equal(behind("unix:/s", 0), &vms[0]);
    vms[0].config.socket = (char *)"/another";
    assert_int_equal(update("unix:/s", NULL), 0);
    vms[0].config.socket = (char *)"/own";
    assert_int_equal(update("unix:/s", NULL), -EADDRINUSE); /* its own counts, too */
    broken = NULL;
    assert_int_equal(update("unix:/s", NULL), 0);
    assert_non_null(find("unix:/own"));
}

static void first_that_cannot_be_opened_is_the_reason(void **state)
{
    (void)state;
    vms[0].config.socket = (char *)"/own";
    vms[1].config.socket = (char *)"/forbidden";
    have(2);
    broken = "unix:/own";
    assert_int_equal(update("vsock:2:5", NULL), -EADDRINUSE);
    broken = "vsock:2:7";
    assert_int_equal(update("vsock:2:7", "nonsense"), -EADDRINUSE);
    assert_int_equal(update("nonsense", "vsock:2:7"), -EINVAL);
    assert_int_equal(update("vsock:2:6", NULL), -EACCES);
    assert_non_null(find("unix:/own"));
}

/* @return a socket that listens at @p path */
static int passed(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)unlink(path);
    return fd;
}

static void what_was_passed_stays_and_is_not_opened_again(void **state)
{
    (void)state;
    vms[1].config.socket = (char *)"/tmp/guestlink-doors";
    have(2);
    assert_int_equal(doors_consume_fd(doors, passed("/tmp/guestlink-doors")), 0);
    assert_int_equal(update(NULL, NULL), 0);
    assert_int_equal(opened, 1);
    assert_ptr_equal(behind("passed", 0), &vms[1]);
    vms[1].config.socket = NULL;
    assert_int_equal(update(NULL, NULL), 0);
    assert_null(behind("passed", 0)); /* of two */
    have(1);
    unreachables = 0;
    assert_int_equal(update(NULL, NULL), 0);
    assert_ptr_equal(behind("passed", 0), &vms[0]);
    assert_int_equal(unreachables, 0); /* that one is reached */
}

static void what_is_no_socket_of_ours_is_refused(void **state)
{
    (void)state;
    assert_int_equal(doors_consume_fd(doors, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                     -EAFNOSUPPORT);
    assert_int_equal(doors_consume_fd(doors, dup(STDERR_FILENO)), -ENOTSOCK);
    broken = "passed";
    assert_int_equal(doors_consume_fd(doors, passed("/tmp/guestlink-doors")), -EADDRINUSE);
    assert_int_equal(opened, 0);
}

static void a_pause_is_counted_and_told(void **state)
{
    const struct listener *listener;

    (void)state;
    have(1);
    assert_int_equal(update("unix:/s", NULL), 0);
    listener = find("unix:/s");
    listener->events->paused(listener->userdata, EMFILE);
    assert_int_equal(pauses, 1);
    assert_int_equal(services.counters.accept_paused, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(behind_vsock_the_cid_names_the_vm),
        TEST(behind_a_shared_socket_is_the_only_vm),
        TEST(behind_a_vms_own_socket_is_that_vm),
        TEST(what_is_asked_for_no_more_is_closed),
        TEST(the_others_open_if_one_cannot),
        TEST(first_that_cannot_be_opened_is_the_reason),
        TEST(what_was_passed_stays_and_is_not_opened_again),
        TEST(what_is_no_socket_of_ours_is_refused),
        TEST(a_pause_is_counted_and_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
