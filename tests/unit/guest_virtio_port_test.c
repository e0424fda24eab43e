/* virtio port: handed over with its first byte unread, closed without one; and whose
 * it is. */
#include "folder.h"
#include "guest/virtio_port.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void on_spoke(void *userdata, int fd)
{
    *(int *)userdata = fd;
}

static void what_is_said_is_left_to_the_handshake(void **state)
{
    struct virtio_port *port = NULL;
    sd_event *event = NULL;
    int spoken = -1, ends[2];
    char byte;

    (void)state;
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_false(virtio_port_is_qemus(ends[0])); /* this program is none */
    assert_int_equal(virtio_port_new(event, ends[0], on_spoke, &spoken, &port), 0);
    assert_int_equal(sd_event_run(event, 0), 0);
    assert_int_equal(spoken, -1);
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    assert_true(sd_event_run(event, UINT64_MAX) > 0);
    assert_int_equal(spoken, ends[0]);
    port = virtio_port_free(port); /* the connection is not its own any more */
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)sd_event_unref(event);
}

/* In a process of its own: connects to @p path, and goes by @p name. */
static int call(const char *path, const char *name, bool stays)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (prctl(PR_SET_NAME, name) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return 1;
    return stays ? (int)read(fd, &byte, 1) : 0;
}

/* Copies this program to @p path. */
static void copy_self(const char *path)
{
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    struct stat st;

    assert_int_equal(fstat(from, &st), 0);
    for (off_t sent = 0; sent < st.st_size;)
        assert_true(sendfile(to, from, &sent, (size_t)(st.st_size - sent)) > 0);
    (void)close(from);
    (void)close(to);
}

/*
 * @param program  a file that the caller executes, or NULL: it has ended when it is looked at
 * @param name     that it goes by
 */
static bool is_qemus(const char *folder, const char *program, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    siginfo_t end;
    bool is;
    pid_t pid;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    pid = fork();
    if (pid == 0 && program)
        (void)execl(program, program, address.sun_path, name, (char *)NULL);
    if (pid == 0)
        _exit(program ? 99 : call(address.sun_path, name, false));
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    if (!program) /* not waited for yet: of such a one nobody sees the file */
        assert_int_equal(waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT), 0);
    is = virtio_port_is_qemus(fd);
    (void)close(fd);
    (void)close(listener);
    (void)unlink(address.sun_path);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return is;
}

static void caller_is_known_by_its_program_or_its_name(void **state)
{
    char folder[FOLDER_BYTES], qemu[FOLDER_BYTES + 32], other[FOLDER_BYTES + 32];

    (void)state;
    folder_make(folder);
    (void)snprintf(qemu, sizeof(qemu), "%s/qemu-system-x", folder);
    (void)snprintf(other, sizeof(other), "%s/other-qemu", folder);
    copy_self(qemu);
    copy_self(other);
    assert_true(is_qemus(folder, qemu, "anybody"));
    assert_false(is_qemus(folder, other, "qemu-kvm")); /* anybody may say that */
    assert_true(is_qemus(folder, NULL, "qemu-kvm"));
    assert_false(is_qemus(folder, NULL, "kvm-qemu"));
    folder_remove(folder);
}

static void one_that_ends_in_silence_is_closed(void **state)
{
    struct virtio_port *port = NULL;
    sd_event *event = NULL;
    int spoken = -1, ends[2];

    (void)state;
    assert_true(sd_event_new(&event) >= 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
                         0);
        assert_int_equal(virtio_port_new(event, ends[0], on_spoke, &spoken, &port), 0);
        if (i == 0)
            port = virtio_port_free(port);
        (void)close(ends[1]);
        while (port && sd_event_run(event, 0) > 0)
            ;
        assert_int_equal(spoken, -1);
        assert_int_equal(send(ends[0], "x", 1, MSG_NOSIGNAL), -1);
        port = virtio_port_free(port);
    }
    (void)sd_event_unref(event);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caller_is_known_by_its_program_or_its_name),
        cmocka_unit_test(what_is_said_is_left_to_the_handshake),
        cmocka_unit_test(one_that_ends_in_silence_is_closed),
    };

    if (argc == 3)
        return call(argv[1], argv[2], true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
