/* manager_notify() and notify: what a VM manager is sent, by which kind of connection, and what is
 * said where it cannot be. Its connections are pairs of sockets; no vsock device is used. */
#include "descriptors.h"
#include "init/base/limits.h"
#include "init/notify.h"
#include "init/work/manager.h"
#include "kmsg_played.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <cmocka.h>

static struct {
    const char *credential;
    bool late;           /* it is there once the loader has ended */
    int reads, loader;   /* that was waited for */
    int types[3], tries; /* of sockets that were made */
    int takes;           /* the type that the kernel has; 0: all */
    int refusal;         /* of connections */
    bool unread;         /* their other end is closed */
    int other_end;
    struct job_order order;
    struct manager_message message;
    int started;
} played;

int __wrap_credential_read(const char *name, char *value, size_t capacity);
int __wrap_credential_read(const char *name, char *value, size_t capacity)
{
    assert_string_equal(name, "vmm.notify_socket");
    played.reads++;
    if (!played.credential || (played.late && played.loader == 0))
        return -ENOENT;
    (void)snprintf(value, capacity, "%s", played.credential);
    return 0;
}

void __wrap_wait_loader(pid_t loader, uint64_t until_ns);
void __wrap_wait_loader(pid_t loader, uint64_t until_ns)
{
    assert_true(until_ns > 0);
    played.loader = loader;
}

int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    int ends[2];

    assert_int_equal(family, AF_VSOCK);
    assert_int_equal(protocol, 0);
    assert_true(type & SOCK_CLOEXEC);
    assert_in_range(played.tries, 0, 2);
    played.types[played.tries++] = type & ~SOCK_CLOEXEC;
    if (played.takes && played.takes != (type & ~SOCK_CLOEXEC)) {
        errno = ESOCKTNOSUPPORT;
        return -1;
    }
    assert_int_equal(socketpair(AF_UNIX, type, 0, ends), 0);
    if (played.other_end >= 0)
        (void)close(played.other_end);
    played.other_end = ends[1];
    return ends[0];
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_vm *remote = (const void *)address;

    assert_true(fd >= 0);
    assert_int_equal(size, sizeof(*remote));
    assert_int_equal(remote->svm_family, AF_VSOCK);
    assert_int_equal(remote->svm_cid, 2);
    assert_int_equal(remote->svm_port, 99);
    if (played.unread) {
        (void)close(played.other_end);
        played.other_end = -1;
    }
    errno = played.refusal;
    return played.refusal ? -1 : 0;
}

int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order);
int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order)
{
    (void)jobs;
    played.order = *order;
    played.message = *(const struct manager_message *)order->argument;
    return played.started;
}

int __wrap_gethostname(char *name, size_t size);
int __wrap_gethostname(char *name, size_t size)
{
    assert_in_range(size, 64, 64);
    (void)snprintf(name, size, "guest");
    return 0;
}

static int begin(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    played.other_end = -1;
    played.credential = "vsock:2:99\n";
    kmsg_played[0] = '\0';
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (played.other_end >= 0)
        (void)close(played.other_end);
    return 0;
}

static void notify(pid_t loader, int error, const char *text)
{
    const struct manager_message message = {.loader = loader, .text = "READY=1\n"};
    struct report report = {0};

    manager_notify(&message, &report);
    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
}

static void expect_message(void)
{
    char text[64] = "";

    assert_int_equal(recv(played.other_end, text, sizeof(text) - 1, MSG_DONTWAIT),
                     strlen("READY=1\n"));
    assert_string_equal(text, "READY=1\n");
    (void)close(played.other_end);
    played.other_end = -1;
}

static void message_is_sent_by_what_the_kernel_has(void **state)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};

    (void)state;
    for (int i = 0; i < 3; i++) {
        played.tries = 0;
        played.takes = types[i];
        notify(0, 0, "");
        assert_int_equal(played.tries, i + 1);
        for (int k = 0; k <= i; k++)
            assert_int_equal(played.types[k], types[k]);
        expect_message();
    }
}

static void type_of_the_credential_is_used(void **state)
{
    static const struct {
        const char *text;
        int type;
    } rows[] = {{"vsock-dgram:2:99", SOCK_DGRAM},
                {"vsock-seqpacket:2:99\n", SOCK_SEQPACKET},
                {"vsock-stream:2:99\nmore", SOCK_STREAM}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        played.tries = 0;
        played.credential = rows[i].text;
        notify(0, 0, "");
        assert_int_equal(played.tries, 1);
        assert_int_equal(played.types[0], rows[i].type);
        expect_message();
    }
}

static void without_the_credential_nothing_is_sent(void **state)
{
    (void)state;
    played.credential = NULL;
    notify(0, 0, "");
    assert_int_equal(played.reads, 1);
    notify(7, 0, "");
    assert_int_equal(played.loader, 7);
    assert_int_equal(played.tries, 0);
}

/* The kernel's readers of it may be modules. */
static void credential_may_come_late(void **state)
{
    (void)state;
    played.late = true;
    notify(7, 0, "");
    assert_int_equal(played.loader, 7);
    assert_int_equal(played.reads, 2);
    expect_message();
    played.reads = 0;
    notify(7, 0, ""); /* it is there: nobody is waited for */
    assert_int_equal(played.reads, 1);
}

static void what_cannot_be_sent_is_told(void **state)
{
    (void)state;
    played.credential = "/run/notify\n";
    notify(0, EINVAL, "vmm.notify_socket '/run/notify': expected vsock:CID:PORT");
    played.credential = "vsock:2:99\n";
    played.refusal = ECONNRESET;
    notify(0, ECONNRESET, "vmm.notify_socket 'vsock:2:99': Connection reset by peer");
    assert_int_equal(played.tries, 3);
    played.tries = played.refusal = 0;
    played.unread = true; /* and no signal */
    played.credential = "vsock-stream:2:99";
    notify(0, EPIPE, "vmm.notify_socket 'vsock-stream:2:99': Broken pipe");
}

static void manager_is_told_what_happened(void **state)
{
    const struct event_ready timings = {.started_ns = 1,
                                        .welcomed_ns = 2,
                                        .mounted_ns = 3,
                                        .network_ns = 4,
                                        .payload_ns = 5,
                                        .ready_ns = 6};
    struct jobs jobs = {0};

    (void)state;
    notify_ready(&jobs, &timings, 0);
    assert_ptr_equal(played.order.work, manager_notify);
    assert_int_equal(played.order.timeout_ms, INIT_NOTIFY_MS);
    assert_int_equal(played.message.loader, 0);
    assert_string_equal(played.message.text,
                        "READY=1\nSTATUS=Ready\nX_GUESTLINK_HOSTNAME=guest\n"
                        "X_GUESTLINK_VERSION=" GUESTLINK_VERSION
                        "\nX_GUESTLINK_STARTED_NS=1\nX_GUESTLINK_WELCOMED_NS=2\n"
                        "X_GUESTLINK_MOUNTED_NS=3\nX_GUESTLINK_NETWORK_NS=4\n"
                        "X_GUESTLINK_PAYLOAD_NS=5\nX_GUESTLINK_READY_NS=6\n");
    notify_ready(&jobs, &timings, 7);
    assert_int_equal(played.order.timeout_ms, INIT_NOTIFY_MS + INIT_MODULES_MS);
    assert_int_equal(played.message.loader, 7);
    notify_stopping(&jobs, "power off");
    assert_string_equal(played.message.text,
                        "STOPPING=1\nSTATUS=Stopping: power off\nX_GUESTLINK_SHUTDOWN=power off\n");
    assert_int_equal(played.order.timeout_ms, INIT_NOTIFY_MS);
    kmsg_expect("");
}

static void what_fails_is_logged(void **state)
{
    struct report report = {0};
    struct jobs jobs = {0};

    (void)state;
    notify_stopping(&jobs, "halt");
    played.order.done(NULL, &report);
    kmsg_expect("");
    report = (struct report){.error = EPIPE, .text = "it did not"};
    played.order.done(NULL, &report);
    kmsg_expect("6 it did not\n");
    played.started = -EAGAIN;
    notify_stopping(&jobs, "halt");
    kmsg_expect("4 cannot start a process to notify the VM manager\n");
}

int main(void)
{
#define PLAYED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLAYED(message_is_sent_by_what_the_kernel_has),
        PLAYED(type_of_the_credential_is_used),
        PLAYED(without_the_credential_nothing_is_sent),
        PLAYED(credential_may_come_late),
        PLAYED(what_cannot_be_sent_is_told),
        PLAYED(manager_is_told_what_happened),
        PLAYED(what_fails_is_logged),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
