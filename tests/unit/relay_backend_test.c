/* relay: the device's process is started with its socket and nothing else, in its jail or not at
 * all, and ends with all of its own. The test's program is the device's. */
#include "descriptors.h"
#include "folder.h"
#include "hostd/relay/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

static const struct kind listens = {.connected = false}, is_connected = {.connected = true};
static char folder[FOLDER_BYTES], socket_path[96], marker[96], self[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
    (void)snprintf(marker, sizeof(marker), "%s/marker", folder);
    return readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* The device's process: says that it runs, then one byte for each descriptor that it has above its
 * socket, and ends with 7 when its connection does. A child of its own does not. */
static int serve(const char *made, bool connected, bool forks)
{
    int fd = 3;
    char byte = 'h';

    (void)close(open(made, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (!connected)
        fd = accept(3, NULL, NULL);
    if (forks && fork() == 0)
        for (;;)
            (void)pause();
    (void)!write(fd, &byte, 1);
    for (int other = connected ? 4 : 5; other < 64; other++)
        if (fcntl(other, F_GETFD) >= 0)
            (void)!write(fd, "x", 1);
    while (read(fd, &byte, 1) > 0)
        ;
    return 7;
}

static int start(const struct kind *kind, const char *how, const struct jail *jail, bool stubborn,
                 struct backend *ret)
{
    char *const argv[] = {self, (char *)how, marker, NULL};

    return backend_start(
        &(struct backend_spec){
            .kind = kind, .socket = socket_path, .argv = argv, .jail = jail, .stubborn = stubborn},
        ret);
}

static void need_word(const struct backend *backend)
{
    char byte = 0;

    assert_int_equal(read(backend->fd, &byte, 1), 1);
    assert_int_equal(byte, 'h');
}

static void wait_for_end(const struct backend *backend)
{
    struct pollfd end = {.fd = backend->pidfd, .events = POLLIN};

    assert_int_equal(poll(&end, 1, WAIT_MS), 1);
}

static void it_is_connected_to_and_has_nothing_else(void **state)
{
    int other = open("/dev/null", O_RDONLY); /* handed on, if it may be */

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct backend backend = BACKEND_NULL;
        char bytes[64];
        int status;

        assert_int_equal(
            start(i ? &is_connected : &listens, i ? "connected" : "listens", NULL, false, &backend),
            0);
        assert_true(backend.pid > 0 && backend.pidfd >= 0 && backend.fd >= 0);
        assert_int_equal(access(socket_path, F_OK), -1); /* nobody else gets at it */
        need_word(&backend);
        assert_int_equal(shutdown(backend.fd, SHUT_WR), 0);
        wait_for_end(&backend);
        assert_int_equal(recv(backend.fd, bytes, sizeof(bytes), 0), 0);
        status = backend_end(&backend);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
    }
    (void)close(other);
}

static void its_end_is_that_of_all_of_its_processes(void **state)
{
    struct backend backend = BACKEND_NULL;
    int status;

    (void)state;
    for (unsigned stubborn = 0; stubborn < 2; stubborn++) {
        assert_int_equal(start(&is_connected, "forks", NULL, stubborn, &backend), 0);
        need_word(&backend);
        status = backend_end(&backend);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 7);
        errno = 0;
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* its child, too */
        assert_int_equal(errno, ECHILD);
    }
}

static void without_its_jail_it_does_not_run(void **state)
{
    const struct jail jail = {.folder = "/no/such/folder", .place = "/"};
    struct backend backend = BACKEND_NULL;
    int status;

    (void)state;
    assert_int_equal(start(&is_connected, "connected", &jail, false, &backend), 0);
    assert_int_equal(shutdown(backend.fd, SHUT_WR), 0); /* one that ran would end, too */
    wait_for_end(&backend);
    status = backend_end(&backend);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 126);
    assert_int_equal(access(marker, F_OK), -1);
}

static void a_program_that_cannot_be_executed_ends_as_in_a_shell(void **state)
{
    struct backend backend = BACKEND_NULL;
    int status;

    (void)state;
    (void)strcpy(self, "/no/such/program");
    assert_int_equal(start(&is_connected, "x", NULL, false, &backend), 0);
    wait_for_end(&backend);
    status = backend_end(&backend);
    assert_int_equal(WEXITSTATUS(status), 127);
    (void)strcpy(self, "/etc/passwd");
    assert_int_equal(start(&is_connected, "x", NULL, false, &backend), 0);
    wait_for_end(&backend);
    status = backend_end(&backend);
    assert_int_equal(WEXITSTATUS(status), 126);
}

static void a_socket_that_cannot_be_made_is_told(void **state)
{
    struct backend backend = BACKEND_NULL;

    (void)state;
    (void)snprintf(socket_path, sizeof(socket_path), "%s/none/s", folder);
    assert_int_equal(start(&listens, "listens", NULL, false, &backend), -ENOENT);
    {
        char longer[200], *const argv[] = {self, NULL};

        memset(longer, 'p', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_int_equal(
            backend_start(&(struct backend_spec){.kind = &listens, .socket = longer, .argv = argv},
                          &backend),
            -ENAMETOOLONG);
    }
    assert_int_equal(backend.pid, -1);
    assert_int_equal(access(marker, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_connected_to_and_has_nothing_else),
        TEST(its_end_is_that_of_all_of_its_processes),
        TEST(without_its_jail_it_does_not_run),
        TEST(a_program_that_cannot_be_executed_ends_as_in_a_shell),
        TEST(a_socket_that_cannot_be_made_is_told),
    };

    if (argc > 2)
        return serve(argv[2], strcmp(argv[1], "listens") != 0, strcmp(argv[1], "forks") == 0);
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
