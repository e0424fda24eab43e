/* control peer: root, the daemon's own user and members of the group are let in, others are not,
 * whatever the socket's mode became. */
#include "control/control_peer.h"
#include "descriptors.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GROUP  54321u
#define OTHER  54322u
#define NOBODY 65534u

static const struct {
    const char *who;
    uid_t uid;
    gid_t gid;
    gid_t more;                 /* its supplementary group */
    bool member, without_group; /* allowed if the group is GROUP; if there is none */
} peers[] = {
    {"root", 0, 0, OTHER, true, true},
    {"a member by its first group", NOBODY, GROUP, OTHER, true, false},
    {"a member by another group", NOBODY, OTHER, GROUP, true, false},
    {"somebody else", NOBODY, OTHER, OTHER, false, false},
    {"somebody of root's group", NOBODY, 0, 0, false, false},
};

/* In a process of its own: becomes the peer, connects, and waits until it is let go. */
static pid_t connect_as(const struct sockaddr_un *address, size_t i)
{
    pid_t pid = fork();
    char byte;
    int fd;

    if (pid != 0)
        return pid;
    if (setgroups(1, &peers[i].more) < 0 || setgid(peers[i].gid) < 0 || setuid(peers[i].uid) < 0)
        _exit(1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        _exit(2);
    (void)!read(fd, &byte, 1);
    _exit(0);
}

static void test_who_is_let_in(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/glnk-peer-XXXXXX";
    int fd, status;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root becomes somebody else */
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(chmod(address.sun_path, 0666), 0);
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        pid_t pid = connect_as(&address, i);
        int peer = accept(fd, NULL, NULL);

        print_message("%s\n", peers[i].who);
        assert_true(pid > 0 && peer >= 0);
        assert_int_equal(control_peer_is_allowed(peer, GROUP), peers[i].member);
        assert_int_equal(control_peer_is_allowed(peer, CONTROL_PEER_NO_GROUP),
                         peers[i].without_group);
        (void)close(peer);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    (void)close(fd);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
}

static void test_a_socket_is_widened_to_its_group_only(void **state)
{
    char path[] = "/tmp/glnk-peer-XXXXXX";
    struct stat status;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root gives a file to another group */
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(control_peer_widen(path, CONTROL_PEER_NO_GROUP), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(control_peer_widen(path, GROUP), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_int_equal(status.st_gid, GROUP);
    (void)close(fd);
    (void)unlink(path);
}

static void test_a_group_that_is_not_there_is_nobody(void **state)
{
    (void)state;
    assert_int_equal(control_peer_find_group(NULL), CONTROL_PEER_NO_GROUP);
    assert_int_equal(control_peer_find_group("glnk-no-such-group"), CONTROL_PEER_NO_GROUP);
    assert_int_equal(control_peer_find_group("root"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_let_in),
        cmocka_unit_test(test_a_socket_is_widened_to_its_group_only),
        cmocka_unit_test(test_a_group_that_is_not_there_is_nobody),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
