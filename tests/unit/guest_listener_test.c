/* hostd listener: stale sockets are replaced, sockets in use are left alone, accept pauses. */
#include "descriptors.h"
#include "guest/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vm_sockets.h>

struct fixture {
    sd_event *event;
    char folder[64];
    char path[96];
    unsigned accepted;
    unsigned paused;
};

/* A vsock, which is a Unix socket of the test's here (CMakeLists.txt): no test opens one. */
static struct {
    const char *path; /* of that socket; NULL: there are no vsocks */
    int bind_error, accept_error;
    struct sockaddr_vm bound, caller; /* `caller` of no family: as it is */
} vsock;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    if (family != AF_VSOCK)
        return __real_socket(family, type, protocol);
    assert_int_equal(type, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    errno = EAFNOSUPPORT;
    return vsock.path ? __real_socket(AF_UNIX, type, 0) : -1;
}

int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    if (address->sa_family != AF_VSOCK)
        return __real_bind(fd, address, size);
    assert_int_equal(size, sizeof(vsock.bound));
    memcpy(&vsock.bound, address, size);
    errno = vsock.bind_error;
    if (vsock.bind_error)
        return -1;
    (void)snprintf(local.sun_path, sizeof(local.sun_path), "%s", vsock.path);
    return __real_bind(fd, (const struct sockaddr *)&local, sizeof(local));
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    int r;

    errno = vsock.accept_error;
    vsock.accept_error = 0;
    if (errno)
        return -1;
    r = __real_accept4(fd, address, size, flags);
    if (r >= 0 && vsock.caller.svm_family == AF_VSOCK)
        memcpy(address, &vsock.caller, sizeof(vsock.caller));
    return r;
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct fixture *f = userdata;

    assert_int_equal(peer->vsock, vsock.caller.svm_family == AF_VSOCK);
    assert_int_equal(peer->cid, vsock.caller.svm_cid);
    assert_int_equal(peer->port, vsock.caller.svm_port);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    f->accepted++;
    (void)close(fd);
}

static void on_paused(void *userdata, int error)
{
    struct fixture *f = userdata;

    assert_int_equal(error, EMFILE);
    f->paused++;
}

static const struct listener_events events = {.accepted = on_accepted, .paused = on_paused};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f || sd_event_new(&f->event) < 0)
        return -1;
    (void)strcpy(f->folder, "/tmp/guestlink-listener-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)unlink(f->path);
    (void)rmdir(f->folder);
    (void)sd_event_unref(f->event);
    free(f);
    return 0;
}

static int call(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void it_accepts_and_cleans_up(void **state)
{
    struct fixture *f = *state;
    struct listener *listener;
    struct stat st;
    int fd;

    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &listener), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    fd = call(f);
    (void)sd_event_run(f->event, 1000000);
    assert_int_equal(f->accepted, 1);
    (void)close(fd);
    listener = listener_free(listener);
    assert_int_equal(stat(f->path, &st), -1);
}

static void a_blocking_socket_of_somebody_elses_does_not_block_the_loop(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct listener *listener;
    int caller;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(listener_consume_fd(f->event, fd, &events, f, &listener), 0);
    caller = call(f);
    (void)sd_event_run(f->event, 1000000);
    assert_int_equal(f->accepted, 1);
    (void)close(caller);
    listener = listener_free(listener);
    /* whoever made the file keeps it */
    assert_int_equal(access(f->path, F_OK), 0);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct listener *listener;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &listener), 0);
    listener = listener_free(listener);
}

static void a_socket_in_use_is_an_error_and_stays(void **state)
{
    struct fixture *f = *state;
    struct listener *first, *second = NULL;
    struct stat st;

    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &first), 0);
    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &second), -EADDRINUSE);
    assert_null(second);
    assert_int_equal(stat(f->path, &st), 0);
    first = listener_free(first);
}

static void a_file_that_is_no_socket_stays(void **state)
{
    struct fixture *f = *state;
    struct listener *listener;
    int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)close(fd);
    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &listener), -EEXIST);
    assert_int_equal(access(f->path, F_OK), 0);
}

static void a_missing_folder_and_a_long_path_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct listener *listener;
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/none/s", f->folder);
    assert_int_equal(listener_new_unix(f->event, path, &events, f, &listener), -ENOENT);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listener_new_unix(f->event, path, &events, f, &listener), -ENAMETOOLONG);
}

static void a_successors_socket_is_not_removed(void **state)
{
    struct fixture *f = *state;
    struct listener *first, *second;

    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &first), 0);
    (void)unlink(f->path);
    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &second), 0);
    first = listener_free(first);
    assert_int_equal(access(f->path, F_OK), 0);
    second = listener_free(second);
}

static void vsock_listens_and_knows_its_callers(void **state)
{
    struct fixture *f = *state;
    struct listener *listener;
    int caller;

    vsock.path = f->path;
    vsock.caller = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = 42, .svm_port = 1023};
    assert_int_equal(listener_new_vsock(f->event, 2, 50000, &events, f, &listener), 0);
    assert_int_equal(vsock.bound.svm_cid, 2);
    assert_int_equal(vsock.bound.svm_port, 50000);
    caller = call(f);
    (void)sd_event_run(f->event, 1000000);
    assert_int_equal(f->accepted, 1);
    (void)close(caller);
    listener = listener_free(listener);
    vsock.path = NULL;
    vsock.caller = (struct sockaddr_vm){.svm_family = 0};
}

static void vsock_that_cannot_be_had_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct listener *listener = NULL;

    assert_int_equal(listener_new_vsock(f->event, 2, 50000, &events, f, &listener), -EAFNOSUPPORT);
    vsock.path = f->path;
    vsock.bind_error = EADDRINUSE;
    assert_int_equal(listener_new_vsock(f->event, 2, 50000, &events, f, &listener), -EADDRINUSE);
    assert_null(listener);
    vsock.path = NULL;
    vsock.bind_error = 0;
}

/* One that hung up while it waited holds up nobody: the next is accepted in the same turn. */
static void caller_that_is_gone_is_skipped(void **state)
{
    static const int errors[] = {ECONNABORTED, EINTR};
    struct fixture *f = *state;
    struct listener *listener;

    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &listener), 0);
    for (unsigned i = 0; i < 2; i++) {
        int caller = call(f);

        vsock.accept_error = errors[i];
        (void)sd_event_run(f->event, 1000000);
        assert_int_equal(f->accepted, i + 1);
        (void)close(caller);
    }
    assert_int_equal(f->paused, 0);
    listener = listener_free(listener);
}

static void without_descriptors_it_waits_and_then_goes_on(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, none;
    struct listener *listener;
    int fd;

    assert_int_equal(listener_new_unix(f->event, f->path, &events, f, &listener), 0);
    fd = call(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (unsigned i = 0; i < 5; i++)
        (void)sd_event_run(f->event, 10000);
    assert_int_equal(f->paused, 1);
    assert_int_equal(f->accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned i = 0; i < 100 && f->accepted == 0; i++)
        (void)sd_event_run(f->event, 100000);
    assert_int_equal(f->accepted, 1);
    (void)close(fd);
    listener = listener_free(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_accepts_and_cleans_up),
        TEST(a_blocking_socket_of_somebody_elses_does_not_block_the_loop),
        TEST(a_stale_socket_is_replaced),
        TEST(a_socket_in_use_is_an_error_and_stays),
        TEST(a_file_that_is_no_socket_stays),
        TEST(a_missing_folder_and_a_long_path_are_told_apart),
        TEST(a_successors_socket_is_not_removed),
        TEST(vsock_listens_and_knows_its_callers),
        TEST(vsock_that_cannot_be_had_is_an_error),
        TEST(caller_that_is_gone_is_skipped),
        TEST(without_descriptors_it_waits_and_then_goes_on),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
