/* dial: which device is opened, from which port, and what is said of one that is not there. No
 * vsock device is used: the linker takes the calls. Virtio ports are files (place.h). */
#include "descriptors.h"
#include "init/link/dial.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <cmocka.h>

static struct {
    int socket_error, bind_error, connect_error;
    unsigned used; /* so many ports, from 1023 on */
    unsigned binds, connects, port;
} played;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    assert_int_equal(family, AF_VSOCK);
    assert_int_equal(type, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    errno = played.socket_error;
    return played.socket_error ? -1 : __real_socket(AF_UNIX, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_vm *local = (const void *)address;

    assert_true(fd >= 0);
    assert_int_equal(size, sizeof(*local));
    assert_int_equal(local->svm_family, AF_VSOCK);
    assert_int_equal(local->svm_cid, VMADDR_CID_ANY);
    assert_in_range(local->svm_port, 512, 1023);
    played.port = local->svm_port;
    played.binds++;
    errno = played.bind_error ? played.bind_error : EADDRINUSE;
    return played.bind_error || played.binds <= played.used ? -1 : 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_vm *remote = (const void *)address;

    assert_true(fd >= 0);
    assert_int_equal(size, sizeof(*remote));
    assert_int_equal(remote->svm_family, AF_VSOCK);
    assert_int_equal(remote->svm_cid, 2);
    assert_int_equal(remote->svm_port, 9999);
    played.connects++;
    errno = played.connect_error;
    return played.connect_error ? -1 : 0;
}

static int begin(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    place_folder("/dev");
    place_folder("/sys");
    place_folder("/sys/class");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    place_clear();
    return 0;
}

static const struct host_address vsock = {.kind = HOST_ADDRESS_VSOCK, .cid = 2, .port = 9999};

/* @return the error, or 0: it was opened */
static int dial(uint16_t *port)
{
    int fd = dial_open(&vsock, port);

    if (fd < 0)
        return fd;
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    return 0;
}

static void each_attempt_has_another_privileged_port(void **state)
{
    uint16_t port = 700;

    (void)state;
    assert_int_equal(dial(&port), 0);
    assert_int_equal(played.port, 700);
    assert_int_equal(dial(&port), 0);
    assert_int_equal(played.port, 699);
    assert_int_equal(port, 698);
    assert_int_equal(played.connects, 2);
}

static void ports_go_round(void **state)
{
    static const uint16_t odd[] = {511, 1024, 0, 65535};
    uint16_t port = 512;

    (void)state;
    assert_int_equal(dial(&port), 0);
    assert_int_equal(played.port, 512);
    assert_int_equal(dial(&port), 0);
    assert_int_equal(played.port, 1023);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        port = odd[i];
        assert_int_equal(dial(&port), 0);
        assert_int_equal(played.port, 1023);
    }
}

static void used_ports_are_passed_over(void **state)
{
    uint16_t port = 1023;

    (void)state;
    played.used = 511;
    assert_int_equal(dial(&port), 0);
    assert_int_equal(played.port, 512);
    played.binds = 0;
    played.used = 512; /* all */
    assert_int_equal(dial(&port), -EADDRINUSE);
    assert_int_equal(played.binds, 512);
    assert_int_equal(played.connects, 1);
}

static void what_cannot_be_opened_says_why(void **state)
{
    static const struct {
        int *from, error, result;
    } rows[] = {
        {&played.socket_error, EAFNOSUPPORT, -ENODEV},
        {&played.socket_error, EMFILE, -EMFILE},
        {&played.bind_error, EACCES, -EACCES},
        {&played.connect_error, ENETUNREACH, -ENODEV},
        {&played.connect_error, EHOSTUNREACH, -ENODEV},
        {&played.connect_error, ENODEV, -ENODEV},
        {&played.connect_error, ECONNRESET, -ECONNRESET},
        {&played.connect_error, EINPROGRESS, 0}, /* it is under way */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint16_t port = 1023;

        memset(&played, 0, sizeof(played));
        *rows[i].from = rows[i].error;
        assert_int_equal(dial(&port), rows[i].result);
        assert_int_equal(played.binds, rows[i].from == &played.socket_error ? 0 : 1);
    }
}

static void virtio_port_is_found_by_its_name(void **state)
{
    const struct host_address address = {.kind = HOST_ADDRESS_VIRTIO_PORT, .name = "guestlink"};
    uint16_t port = 1023;
    char byte;
    int fd;

    (void)state;
    assert_int_equal(dial_open(&address, &port), -ENODEV);
    place_folder("/sys/class/virtio-ports");
    assert_int_equal(dial_open(&address, &port), -ENODEV);
    place_folder("/sys/class/virtio-ports/vport0p1");
    place_file("/sys/class/virtio-ports/vport0p1/name", "guestlink-2\n");
    place_folder("/sys/class/virtio-ports/vport0p2");
    place_folder("/sys/class/virtio-ports/vport0p3");
    place_file("/sys/class/virtio-ports/vport0p3/name", "guestlink\n");
    place_folder("/sys/class/virtio-ports/vport0p4"); /* in either order */
    place_file("/dev/vport0p1", "1");
    assert_int_equal(dial_open(&address, &port), -ENOENT);
    place_file("/dev/vport0p3", "3");
    fd = dial_open(&address, &port);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, '3');
    assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
    assert_int_equal(port, 1023);
    assert_int_equal(played.binds, 0);
}

/* With the line's end, and by all of it: one that is longer by a letter is another port's. */
static void the_longest_name_is_found(void **state)
{
    struct host_address address = {.kind = HOST_ADDRESS_VIRTIO_PORT};
    char line[HOST_ADDRESS_NAME_SIZE + 2] = "";
    uint16_t port = 1023;
    char byte;
    int fd;

    (void)state;
    memset(address.name, 'n', sizeof(address.name) - 1);
    place_folder("/sys/class/virtio-ports");
    memset(line, 'n', sizeof(address.name));
    line[sizeof(address.name)] = '\n';
    place_folder("/sys/class/virtio-ports/vport0p1");
    place_file("/sys/class/virtio-ports/vport0p1/name", line);
    place_file("/dev/vport0p1", "1");
    assert_int_equal(dial_open(&address, &port), -ENODEV);
    line[sizeof(address.name) - 1] = '\n';
    line[sizeof(address.name)] = '\0';
    place_folder("/sys/class/virtio-ports/vport0p2");
    place_file("/sys/class/virtio-ports/vport0p2/name", line);
    place_file("/dev/vport0p2", "2");
    fd = dial_open(&address, &port);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, '2');
    (void)close(fd);
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(each_attempt_has_another_privileged_port),
        PLACED(ports_go_round),
        PLACED(used_ports_are_passed_over),
        PLACED(what_cannot_be_opened_says_why),
        PLACED(virtio_port_is_found_by_its_name),
        PLACED(the_longest_name_is_found),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
