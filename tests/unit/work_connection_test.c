/* connection: which addresses are ones, and that both ways pass on everything, each to its own end.
 */
#include "descriptors.h"
#include "init/base/limits.h"
#include "init/work/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE ((size_t)300000)

static char folder[] = "/tmp/guestlink-connection-XXXXXX";
static char path[sizeof(folder) + 8];

/* A service's socket, and the ends of the child that is connected to it. */
static struct played {
    int listening, service;
    int in, out; /* we write, we read */
    pid_t child;
} played;

static int refusal; /* of the next connections; 0: none */

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    struct timeval patience = {0};
    socklen_t length = sizeof(patience);

    if (refusal == 0)
        return __real_connect(fd, address, size);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, &length), 0);
    assert_int_equal(patience.tv_sec, INIT_CONNECTION_MS / 1000);
    errno = refusal;
    return -1;
}

static atomic_uint *polls; /* of the child */

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)atomic_fetch_add(polls, timeout_ms < 0);
    return __real_poll(fds, count, timeout_ms);
}

static int listen_at(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int listen_local(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return listen_at((const struct sockaddr *)&address, sizeof(address));
}

static int begin(void **state)
{
    int in[2], out[2];

    (void)state;
    played.listening = listen_local();
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_true(fcntl(out[1], F_SETPIPE_SZ, 4096) > 0); /* takes a part at a time */
    played.child = fork();
    if (played.child == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(in[1]);
        (void)close(out[0]);
        connection_copy(connection_open(path));
    }
    (void)close(in[0]);
    (void)close(out[1]);
    played.in = in[1];
    played.out = out[0];
    played.service = accept(played.listening, NULL, NULL);
    assert_true(played.service >= 0);
    return 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int finish(void **state)
{
    int status;

    (void)state;
    close_one(&played.in);
    close_one(&played.out);
    close_one(&played.service);
    close_one(&played.listening);
    if (played.child > 0)
        (void)waitpid(played.child, &status, 0);
    (void)unlink(path);
    return 0;
}

/* @return the child's exit status */
static int end_of_child(void)
{
    int status;

    assert_int_equal(waitpid(played.child, &status, 0), played.child);
    played.child = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void read_all(int fd, char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, bytes + done, size - done);

        assert_true(n > 0);
        done += (size_t)n;
    }
}

static bool is_at_its_end(int fd)
{
    char byte;

    return read(fd, &byte, 1) == 0;
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "80",
                                        ":80",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "[::1]",
                                        "[::1]80",
                                        "::1:80",
                                        "[::1:80",
                                        "127.0.0.1:0",
                                        "localhost:1",
                                        "127.0.0.1:1x",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:-1",
                                        "[127.0.0.1]:80",
                                        "service.sock",
                                        "[]:80",
                                        "1234567890123456789012345678901234567890123456789:80"};
    char longest[200];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (connection_open(texts[i]) != -EINVAL)
            fail_msg("\"%s\" is taken", texts[i]);
    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(connection_open(longest), -EINVAL);
    assert_int_equal(connection_open("/nonexistent/service.sock"), -ENOENT);
}

/* Whether or not somebody listens there. */
static void first_and_last_ports_are_ones(void **state)
{
    static const char *const texts[] = {"127.0.0.1:1", "127.0.0.1:9", "127.0.0.1:65535", "[::1]:1"};
    struct sockaddr_un address;
    char longest[sizeof(address.sun_path) + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int fd = connection_open(texts[i]);

        if (fd >= 0)
            (void)close(fd);
        if (fd == -EINVAL)
            fail_msg("\"%s\" is refused", texts[i]);
    }
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(address.sun_path)] = '\0';
    assert_int_equal(connection_open(longest), -EINVAL);
    longest[sizeof(address.sun_path) - 1] = '\0';
    assert_int_equal(connection_open(longest), -ENOENT);
}

static void each_kind_of_address_is_connected_to(void **state)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(ipv4);
    int fd = listen_at((const struct sockaddr *)&ipv4, sizeof(ipv4)), connected;
    char text[64];

    (void)state;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ipv4, &size), 0);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(ipv4.sin_port));
    connected = connection_open(text);
    assert_true(connected >= 0);
    (void)close(connected);
    (void)close(fd);
    assert_int_equal(connection_open(text), -ECONNREFUSED);
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&ipv6, sizeof(ipv6)) < 0)
        return; /* no IPv6 here */
    size = sizeof(ipv6);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ipv6, &size), 0);
    (void)snprintf(text, sizeof(text), "[::1]:%u", ntohs(ipv6.sin6_port));
    connected = connection_open(text);
    assert_true(connected >= 0);
    (void)close(connected);
    (void)close(fd);
}

/* More than all the buffers hold, in both directions, of which nobody reads the one before the
 * other has gone through. */
static void one_way_does_not_wait_for_the_other(void **state)
{
    char *bytes = malloc(SIZE), *got = malloc(SIZE);
    pid_t writer;

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * i % 251);
    writer = fork(); /* the service writes, and nobody takes it yet */
    if (writer == 0) {
        (void)!write(played.service, bytes, SIZE);
        _exit(0);
    }
    for (size_t done = 0; done < SIZE; done += 10000) {
        assert_int_equal(write(played.in, bytes + done, 10000), 10000);
        read_all(played.service, got + done, 10000);
    }
    assert_memory_equal(bytes, got, SIZE);
    memset(got, 0, SIZE);
    read_all(played.out, got, SIZE);
    assert_memory_equal(bytes, got, SIZE);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    free(bytes);
    free(got);
}

static void each_way_ends_by_itself(void **state)
{
    char bytes[8];

    (void)state;
    assert_int_equal(write(played.in, "ask", 3), 3);
    close_one(&played.in);
    read_all(played.service, bytes, 3);
    assert_true(is_at_its_end(played.service));
    assert_int_equal(write(played.service, "answer", 6), 6);
    read_all(played.out, bytes, 6);
    close_one(&played.service);
    assert_true(is_at_its_end(played.out));
    assert_int_equal(end_of_child(), 0);
}

static void and_in_the_other_order(void **state)
{
    char bytes[8];

    (void)state;
    assert_int_equal(shutdown(played.service, SHUT_WR), 0);
    assert_true(is_at_its_end(played.out));
    assert_int_equal(write(played.in, "late", 4), 4);
    read_all(played.service, bytes, 4);
    close_one(&played.in);
    assert_true(is_at_its_end(played.service));
    assert_int_equal(end_of_child(), 0);
}

/* It is told by a pipe without a reader, not by a write that comes. */
static void a_service_that_is_gone_takes_nothing_more(void **state)
{
    struct pollfd poller = {.fd = played.in};

    (void)state;
    close_one(&played.service);
    assert_int_equal(poll(&poller, 1, 60000), 1);
    assert_true(poller.revents & POLLERR);
    assert_int_equal(end_of_child(), 0);
}

/* What was on its way is lost, which is no success. */
static void a_service_that_resets_is_a_failure(void **state)
{
    struct pollfd poller = {.fd = played.service, .events = POLLIN};

    (void)state;
    assert_int_equal(write(played.in, "ask", 3), 3);
    assert_int_equal(poll(&poller, 1, 60000), 1);
    close_one(&played.service); /* unread */
    assert_int_equal(end_of_child(), 1);
}

static void without_a_reader_the_other_way_stays(void **state)
{
    char bytes[8];

    (void)state;
    close_one(&played.out);
    assert_int_equal(write(played.service, "answer", 6), 6);
    assert_int_equal(write(played.in, "ask", 3), 3);
    read_all(played.service, bytes, 3);
    close_one(&played.in);
    assert_true(is_at_its_end(played.service));
    assert_int_equal(end_of_child(), 0);
}

/* A spin would count thousands meanwhile. */
static void what_has_nothing_to_do_waits(void **state)
{
    char bytes[8];

    (void)state;
    atomic_store(polls, 0);
    assert_int_equal(write(played.in, "ask", 3), 3);
    read_all(played.service, bytes, 3);
    (void)usleep(20000);
    assert_int_equal(write(played.service, "answer", 6), 6);
    read_all(played.out, bytes, 6);
    (void)usleep(20000);
    close_one(&played.in);
    assert_true(is_at_its_end(played.service));
    (void)usleep(20000);
    assert_in_range(atomic_load(polls), 1, 20);
    close_one(&played.service);
    assert_int_equal(end_of_child(), 0);
}

/* One that does not accept in time. */
static void patience_is_bounded(void **state)
{
    static const int errors[] = {EAGAIN, EINPROGRESS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        refusal = errors[i];
        assert_int_equal(connection_open(path), -ETIMEDOUT);
    }
    refusal = EPERM;
    assert_int_equal(connection_open(path), -EPERM);
    refusal = 0;
}

int main(void)
{
#define PLAYED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(first_and_last_ports_are_ones),
        cmocka_unit_test(each_kind_of_address_is_connected_to),
        PLAYED(one_way_does_not_wait_for_the_other),
        PLAYED(each_way_ends_by_itself),
        PLAYED(and_in_the_other_order),
        PLAYED(a_service_that_is_gone_takes_nothing_more),
        PLAYED(a_service_that_resets_is_a_failure),
        PLAYED(without_a_reader_the_other_way_stays),
        PLAYED(what_has_nothing_to_do_waits),
        PLAYED(patience_is_bounded),
    };
    int failed;

    polls = mmap(NULL, sizeof(*polls), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (polls == MAP_FAILED || mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    failed = cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
    (void)rmdir(folder);
    return failed;
}
