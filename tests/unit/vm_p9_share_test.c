/* hostd 9P share: whose connections are served, how many at once and how fast they may begin, and
 * what is left when a server, or the share, ends. The servers are the test's. */
#include "base/limits.h"
#include "device/device_host.h"
#include "device/p9_server.h"
#include "guest/listener.h"
#include "telemetry/telemetry.h"
#include "vm/p9_share.h"
#include "vm/services.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CID 42u

struct p9_server {
    p9_server_ended_fn ended;
    void *userdata;
    bool used;
};

static struct p9_server servers[64];
static unsigned started, freed, released;
static int start_error;
static bool vouched;
static const char *ended_text;
static struct {
    struct listener_events events;
    void *userdata;
    char path[128];
    uint32_t port; /* 0: a Unix socket's */
    unsigned busy; /* so many are in use before one is free */
    unsigned open;
} listening;

int __wrap_p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                         p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server);
int __wrap_p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                         p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server)
{
    (void)event;
    assert_string_equal(path, "/usr");
    assert_true(read_only);
    (void)close(fd);
    if (start_error != 0)
        return -start_error;
    servers[started] = (struct p9_server){.ended = ended, .userdata = userdata, .used = true};
    *ret_server = &servers[started++];
    return 0;
}

struct p9_server *__wrap_p9_server_free(struct p9_server *server);
struct p9_server *__wrap_p9_server_free(struct p9_server *server)
{
    if (server) {
        assert_true(server->used);
        server->used = false;
        freed++;
    }
    return NULL;
}

struct p9_server *__wrap_p9_server_release(struct p9_server *server);
struct p9_server *__wrap_p9_server_release(struct p9_server *server)
{
    if (server) {
        assert_true(server->used);
        server->used = false;
        released++;
    }
    return NULL;
}

static int listen_at(const struct listener_events *events, void *userdata,
                     struct listener **ret_listener)
{
    if (listening.busy > 0) {
        listening.busy--;
        return -EADDRINUSE;
    }
    listening.events = *events;
    listening.userdata = userdata;
    listening.open++;
    *ret_listener = (struct listener *)&listening;
    return 0;
}

int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret_listener);
int __wrap_listener_new_unix(sd_event *event, const char *path,
                             const struct listener_events *events, void *userdata,
                             struct listener **ret_listener)
{
    (void)event;
    (void)snprintf(listening.path, sizeof(listening.path), "%s", path);
    return listen_at(events, userdata, ret_listener);
}

int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret_listener);
int __wrap_listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                              const struct listener_events *events, void *userdata,
                              struct listener **ret_listener)
{
    (void)event;
    assert_int_equal(cid, UINT32_MAX); /* any: of a VM whose number is checked at each connection */
    listening.port = port;
    return listen_at(events, userdata, ret_listener);
}

struct listener *__wrap_listener_free(struct listener *listener);
struct listener *__wrap_listener_free(struct listener *listener)
{
    if (listener)
        listening.open--;
    return NULL;
}

bool __wrap_device_host_vouches(const struct device_host *host);
bool __wrap_device_host_vouches(const struct device_host *host)
{
    (void)host;
    return vouched;
}

static const struct config_share config = {
    .tag = (char *)"p", .path = (char *)"/usr", .target = (char *)"/p", .read_only = true};

static int set_up_share(void **state)
{
    memset(&servers, 0, sizeof(servers));
    memset(&listening, 0, sizeof(listening));
    started = freed = released = 0;
    start_error = 0;
    vouched = true;
    ended_text = NULL;
    return set_up(state);
}

static void on_ended(void *userdata, const char *text)
{
    assert_ptr_equal(userdata, &config);
    ended_text = text;
}

static struct p9_share *share_new(struct fixture *f)
{
    struct p9_share *p9 = NULL;

    assert_int_equal(p9_share_new(f->vm, &config, on_ended, (void *)&config, &p9), 0);
    assert_non_null(p9);
    return p9;
}

/* A connection. @return true: it is served; else it was closed */
static bool connect_peer(const struct peer *peer)
{
    unsigned before = started;
    int ends[2];
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    listening.events.accepted(listening.userdata, ends[1], peer);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* whoever has it now has closed it */
    (void)close(ends[0]);
    return started > before;
}

static bool connect_one(void)
{
    return connect_peer(&(struct peer){.vsock = false});
}

static uint64_t failures(const struct fixture *f)
{
    return telemetry_count(f->services.telemetry, TELEMETRY_DEVICE_FAILED);
}

static void each_share_has_a_port_and_a_socket_of_its_own(void **state)
{
    struct fixture *f = *state;
    char wanted[128];
    struct p9_share *one, *other, *third;

    assert_int_equal(p9_share_port(NULL), 0);
    one = share_new(f);
    assert_int_equal(p9_share_port(one), LIMITS_P9_PORT_FIRST);
    (void)snprintf(wanted, sizeof(wanted), "%s/s_%u", f->folder, LIMITS_P9_PORT_FIRST);
    assert_string_equal(listening.path, wanted);
    assert_int_equal(listening.port, 0);
    other = share_new(f);
    assert_int_equal(p9_share_port(other), LIMITS_P9_PORT_FIRST + 1);
    assert_int_equal(f->vm->p9.shares, 2);
    /* one that is free again is used again; one that somebody else listens at is passed over */
    assert_null(p9_share_free(one));
    listening.busy = 1;
    third = share_new(f);
    assert_int_equal(p9_share_port(third), LIMITS_P9_PORT_FIRST + 2);
    one = share_new(f);
    assert_int_equal(p9_share_port(one), LIMITS_P9_PORT_FIRST);
    (void)p9_share_free(one);
    (void)p9_share_free(other);
    (void)p9_share_release(third);
    assert_int_equal(listening.open, 0);
    assert_int_equal(f->vm->p9.shares, 0);
    for (size_t i = 0; i < sizeof(f->services.ports.taken); i++)
        assert_int_equal(f->services.ports.taken[i], 0);
    assert_null(p9_share_free(NULL));
    assert_null(p9_share_release(NULL));
}

static void every_port_is_tried_and_no_more(void **state)
{
    const unsigned count = LIMITS_P9_PORT_LAST - LIMITS_P9_PORT_FIRST + 1;
    struct fixture *f = *state;
    struct p9_share *p9 = NULL;

    listening.busy = count - 1;
    p9 = share_new(f);
    assert_int_equal(p9_share_port(p9), LIMITS_P9_PORT_LAST);
    (void)p9_share_free(p9);
    listening.busy = count;
    assert_int_equal(p9_share_new(f->vm, &config, on_ended, NULL, &p9), -EADDRINUSE);
    assert_int_equal(listening.busy, 0);
    memset(f->services.ports.taken, 0xff, sizeof(f->services.ports.taken));
    assert_int_equal(p9_share_new(f->vm, &config, on_ended, NULL, &p9), -ENOSPC);
    assert_int_equal(f->vm->p9.shares, 0);
}

static void a_socket_that_is_not_named_for_a_port_has_no_other(void **state)
{
    struct fixture *f = *state;
    struct config_vm *vm = &f->settings->config->vms[0];
    char *socket_path = vm->socket, path[200];
    struct p9_share *p9 = NULL;

    vm->socket = (char *)"/tmp/socket";
    assert_int_equal(p9_share_new(f->vm, &config, on_ended, NULL, &p9), -EPROTONOSUPPORT);
    memset(path, 'p', sizeof(path));
    memcpy(path + 150, "_1", sizeof("_1"));
    vm->socket = path;
    assert_int_equal(p9_share_new(f->vm, &config, on_ended, NULL, &p9), -ENAMETOOLONG);
    assert_null(p9);
    vm->socket = socket_path;
}

static void only_the_vms_own_kernel_is_served(void **state)
{
    static const struct {
        struct peer peer;
        bool vouched, served;
    } cases[] = {{{.vsock = true, .cid = CID, .port = 1}, true, true},
                 {{.vsock = true, .cid = CID, .port = LIMITS_PRIVILEGED_PORTS - 1}, true, true},
                 {{.vsock = true, .cid = CID, .port = LIMITS_PRIVILEGED_PORTS}, true, false},
                 {{.vsock = true, .cid = CID + 1, .port = 1}, true, false},
                 {{.vsock = true, .cid = CID, .port = 1}, false, false},
                 {{.vsock = false, .port = 50000}, false, true}};
    struct fixture *f = *state;
    struct config_vm *vm = &f->settings->config->vms[0];
    char *socket_path = vm->socket;
    struct p9_share *p9;

    vm->socket = NULL;
    vm->cid = CID;
    p9 = share_new(f);
    assert_int_equal(listening.port, LIMITS_P9_PORT_FIRST);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vouched = cases[i].vouched;
        if (connect_peer(&cases[i].peer) != cases[i].served)
            fail_msg("case %zu", i);
    }
    assert_int_equal(f->vm->p9.running, started);
    assert_int_equal(f->vm->p9.refused, 0); /* a stranger's call uses up nothing */
    (void)p9_share_free(p9);
    assert_int_equal(f->vm->p9.running, 0);
    assert_int_equal(freed, started);
    vm->socket = socket_path;
    vm->cid = 0;
}

static void a_share_has_a_bounded_number_of_servers(void **state)
{
    struct fixture *f = *state;
    uint64_t before = failures(f);
    struct p9_share *p9 = share_new(f), *other = share_new(f);

    listening.userdata = p9;
    for (unsigned i = 0; i < LIMITS_P9_CONNECTIONS; i++)
        assert_true(connect_one());
    assert_false(connect_one());
    assert_int_equal(f->vm->p9.running, LIMITS_P9_CONNECTIONS);
    /* the other one may have what is left to the VM, and its burst */
    listening.userdata = other;
    for (unsigned i = LIMITS_P9_CONNECTIONS; i < 2 + LIMITS_P9_SPARE; i++)
        assert_true(connect_one());
    assert_false(connect_one());
    /* told once, and how often when the time has come again */
    assert_int_equal(failures(f), before + 1);
    assert_int_equal(f->vm->p9.refused, 1);
    f->vm->p9.told_us -= LIMITS_P9_QUIET_MS * UINT64_C(1000);
    assert_false(connect_one());
    assert_int_equal(failures(f), before + 2);
    assert_int_equal(f->vm->p9.refused, 0);
    (void)p9_share_free(p9);
    assert_int_equal(f->vm->p9.running, 2 + LIMITS_P9_SPARE - LIMITS_P9_CONNECTIONS);
    (void)p9_share_release(other);
    assert_int_equal(f->vm->p9.running, 0);
    assert_int_equal(freed, LIMITS_P9_CONNECTIONS);
    assert_int_equal(released, started - freed);
}

static void servers_begin_at_a_bounded_rate(void **state)
{
    struct fixture *f = *state;
    struct p9_share *p9 = share_new(f);
    unsigned i;

    for (i = 0; i < 1000 && connect_one(); i++)
        servers[started - 1].ended(servers[started - 1].userdata, "over");
    assert_in_range(i, 1 + LIMITS_P9_SPARE, 2 * (1 + LIMITS_P9_SPARE));
    assert_int_equal(f->vm->p9.running, 0);
    f->vm->p9.starts = (struct rate){0};
    assert_true(connect_one());
    (void)p9_share_free(p9);
}

static void why_a_server_ended_is_kept_until_the_guest_is_asked_anew(void **state)
{
    struct fixture *f = *state;
    struct p9_share *p9 = share_new(f);

    assert_null(p9_share_trouble(p9));
    assert_null(p9_share_trouble(NULL));
    assert_true(connect_one());
    assert_true(connect_one());
    servers[0].ended(servers[0].userdata, "first");
    assert_string_equal(ended_text, "first");
    assert_string_equal(p9_share_trouble(p9), "first");
    assert_int_equal(f->vm->p9.running, 1);
    assert_int_equal(freed, 1);
    assert_true(servers[1].used);
    servers[1].ended(servers[1].userdata, "second");
    assert_string_equal(p9_share_trouble(p9), "second");
    p9_share_clear_trouble(p9);
    p9_share_clear_trouble(NULL);
    assert_null(p9_share_trouble(p9));
    (void)p9_share_free(p9);
    assert_int_equal(freed, 2);
}

static void a_server_that_cannot_be_started_is_told_with_its_reason(void **state)
{
    static const struct {
        int error;
        const char *text;
    } cases[] = {{ENOENT, "diod is not installed on the host"},
                 {ELIBACC, "guestlink-no-pipes.so, which diod needs, is not installed on the host"},
                 {EMFILE, "cannot start diod"}};
    struct fixture *f = *state;
    struct p9_share *p9 = share_new(f);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = failures(f);

        start_error = cases[i].error;
        assert_false(connect_one());
        assert_string_equal(p9_share_trouble(p9), cases[i].text);
        assert_int_equal(failures(f), before + 1);
    }
    assert_int_equal(f->vm->p9.running, 0);
    start_error = 0;
    assert_true(connect_one());
    (void)p9_share_free(p9);
    listening.events.paused(NULL, EMFILE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_share, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_share_has_a_port_and_a_socket_of_its_own),
        TEST(every_port_is_tried_and_no_more),
        TEST(a_socket_that_is_not_named_for_a_port_has_no_other),
        TEST(only_the_vms_own_kernel_is_served),
        TEST(a_share_has_a_bounded_number_of_servers),
        TEST(servers_begin_at_a_bounded_rate),
        TEST(why_a_server_ended_is_kept_until_the_guest_is_asked_anew),
        TEST(a_server_that_cannot_be_started_is_told_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
