/*
 * qmp socket: the one that QEMU's user made is connected to; whatever else that user can put into
 * its place, to have another VM's QEMU driven, is not.
 */
#include "base/qmp_socket.h"
#include "descriptors.h"
#include "folder.h"

#include <errno.h>
#include <limits.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Two VMs' users; nobody's on any system that the tests run on. */
#define ONE   64101u
#define OTHER 64102u

static char folder[FOLDER_BYTES];

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    assert_int_equal(chmod(folder, 0755), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* @return a path in the folder, in one of a few buffers */
static const char *at(const char *name)
{
    static char buffers[8][160];
    static unsigned next;
    char *buffer = buffers[next++ % 8];

    (void)snprintf(buffer, sizeof(buffers[0]), "%s/%s", folder, name);
    return buffer;
}

static void make_folder(const char *name, uid_t owner)
{
    assert_int_equal(mkdir(at(name), 0755), 0);
    assert_int_equal(chown(at(name), owner, owner), 0);
}

static void as_user_or_skip(void)
{
    if (geteuid() != 0) {
        (void)fprintf(stderr, "not tested: it takes root, for two users\n");
        skip();
    }
}

/* A socket at which this process listens. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* As listen_at(), by that user, in a folder of its own. The listener is this process's then. */
static int listen_as(uid_t user, const char *name)
{
    char ready;
    int pair[2], fd;
    struct iovec part = {.iov_base = &ready, .iov_len = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgid(user) < 0 || setuid(user) < 0)
            _exit(1);
        fd = listen_at(at(name));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        _exit(sendmsg(pair[1], &message, 0) == 1 ? 0 : 1);
    }
    (void)close(pair[1]);
    assert_int_equal(recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC), 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    (void)close(pair[0]);
    (void)waitpid(pid, NULL, 0);
    return fd;
}

static int try(const char *path)
{
    struct qmp_socket socket = {.fd = -1};
    const char *problem;
    int r = qmp_socket_connect(path, &socket, &problem);

    if (r == 0)
        (void)close(socket.fd);
    return r;
}

static void assert_refused(const char *path, const char *why)
{
    struct qmp_socket socket = {.fd = -1};
    const char *problem = "";
    int r = qmp_socket_connect(path, &socket, &problem);

    if (r != -EPERM || !strstr(problem, why))
        fail_msg("%s: %d, %s; expected: %s", path, r, problem, why);
    assert_int_equal(socket.fd, -1);
}

static void socket_is_connected_to_and_its_owner_told(void **state)
{
    struct qmp_socket socket;
    const char *problem;
    int listener = listen_at(at("qmp")), byte;

    (void)state;
    assert_int_equal(qmp_socket_connect(at("qmp"), &socket, &problem), 0);
    assert_int_equal(socket.uid, geteuid());
    assert_int_equal(socket.gid, getegid());
    assert_int_equal(recv(socket.fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    (void)close(socket.fd);

    assert_int_equal(mkdir(at("d"), 0755), 0);
    assert_int_equal(try(at("d/..//./qmp")), 0);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(try("qmp"), 0);
    assert_int_equal(chdir("/"), 0);
    (void)close(listener);
    assert_int_equal(try(at("qmp")), -ECONNREFUSED);
    assert_int_equal(try(at("none")), -ENOENT);
    assert_int_equal(try(at("qmp/qmp")), -ENOTDIR);
    assert_int_equal(try(""), -EISDIR);
    assert_int_equal(try("/"), -EISDIR);
}

static void what_is_no_socket_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("folder"), 0755), 0);
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_refused(at("folder"), "not a socket");
    assert_refused(at("fifo"), "not a socket");
}

static void link_in_its_place_is_refused_whoever_made_it(void **state)
{
    int listener = listen_at(at("other"));

    (void)state;
    assert_int_equal(symlink(at("other"), at("qmp")), 0);
    assert_refused(at("qmp"), "the socket is a symbolic link");
    assert_int_equal(link(at("other"), at("hard")), 0);
    assert_refused(at("hard"), "the socket has a second name");
    assert_refused(at("other"), "the socket has a second name");
    (void)close(listener);
}

static void link_on_the_way_is_followed_if_it_is_roots(void **state)
{
    int listener;

    (void)state;
    assert_int_equal(mkdir(at("run"), 0755), 0);
    listener = listen_at(at("run/qmp"));
    assert_int_equal(symlink(at("run"), at("absolute")), 0);
    assert_int_equal(symlink("run", at("relative")), 0);
    assert_int_equal(symlink("../absolute", at("run/deep")), 0);
    assert_int_equal(symlink("loop", at("loop")), 0);
    assert_int_equal(try(at("absolute/qmp")), 0);
    assert_int_equal(try(at("relative/qmp")), 0);
    assert_int_equal(try(at("relative/deep/deep/qmp")), 0);
    assert_int_equal(try(at("loop/qmp")), -ELOOP);
    (void)close(listener);
}

static void as_many_links_are_followed_as_the_kernel_follows(void **state)
{
    int listener = listen_at(at("qmp"));
    char name[16], target[16];

    (void)state;
    assert_int_equal(symlink(".", at("1")), 0);
    for (unsigned i = 2; i <= 41; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        (void)snprintf(target, sizeof(target), "%u", i - 1);
        assert_int_equal(symlink(target, at(name)), 0);
    }
    assert_int_equal(access(at("40/qmp"), F_OK), 0);
    assert_int_equal(access(at("41/qmp"), F_OK), -1);
    assert_int_equal(try(at("40/qmp")), 0);
    assert_int_equal(try(at("41/qmp")), -ELOOP);
    (void)close(listener);
}

/* A name of 255 bytes may be there, as may a way of 4095. */
static void names_and_ways_have_the_lengths_that_the_kernel_has(void **state)
{
    static char way[PATH_MAX + 1];
    char name[NAME_MAX + 2];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[NAME_MAX + 1] = '\0';
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(try(name), -ENAMETOOLONG);
    (void)snprintf(way, sizeof(way), "%s/qmp", name);
    assert_int_equal(try(way), -ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    assert_int_equal(try(name), -ENOENT);
    (void)snprintf(way, sizeof(way), "%s/qmp", name);
    assert_int_equal(try(way), -ENOENT);
    memset(way, '/', PATH_MAX);
    way[PATH_MAX - 2] = 'q';
    way[PATH_MAX - 1] = '\0';
    assert_int_equal(try(way), -ENOENT);
    way[PATH_MAX - 1] = 'q';
    assert_int_equal(try(way), -ENAMETOOLONG);

    /* with what a link on it says */
    assert_int_equal(symlink("ab", at("l")), 0);
    assert_int_equal(mkdir(at("ab"), 0755), 0);
    memset(way, '/', PATH_MAX);
    way[0] = 'l';
    way[PATH_MAX - 3] = 'q';
    way[PATH_MAX - 2] = '\0';
    assert_int_equal(try(way), -ENOENT);
    way[PATH_MAX - 3] = '/';
    way[PATH_MAX - 2] = 'q';
    way[PATH_MAX - 1] = '\0';
    assert_int_equal(try(way), -ENAMETOOLONG);
    assert_int_equal(chdir("/"), 0);
}

static void link_on_the_way_is_refused_if_it_is_anothers(void **state)
{
    int listener;

    (void)state;
    as_user_or_skip();
    make_folder("one", ONE);
    make_folder("other", OTHER);
    listener = listen_as(OTHER, "other/qmp");
    assert_int_equal(try(at("other/qmp")), 0);
    /* root's link in the user's folder, where the user could have put another one of root's */
    assert_int_equal(symlink("../other", at("one/sub")), 0);
    assert_refused(at("one/sub/qmp"), "a symbolic link that does not belong to root");
    assert_int_equal(lchown(at("one/sub"), ONE, ONE), 0);
    assert_refused(at("one/sub/qmp"), "a symbolic link that does not belong to root");
    /* the user's link in root's folder */
    assert_int_equal(symlink("other", at("link")), 0);
    assert_int_equal(lchown(at("link"), ONE, ONE), 0);
    assert_refused(at("link/qmp"), "a symbolic link that does not belong to root");
    (void)close(listener);
}

static void socket_of_another_user_is_refused(void **state)
{
    struct qmp_socket socket;
    const char *problem;
    int listener;

    (void)state;
    as_user_or_skip();
    make_folder("one", ONE);
    make_folder("other", OTHER);
    listener = listen_as(OTHER, "other/qmp");
    assert_int_equal(qmp_socket_connect(at("other/qmp"), &socket, &problem), 0);
    assert_int_equal(socket.uid, OTHER);
    assert_int_equal(socket.gid, OTHER);
    (void)close(socket.fd);
    /* as if the user could move it into its folder */
    assert_int_equal(rename(at("other/qmp"), at("one/qmp")), 0);
    assert_refused(at("one/qmp"), "belongs neither to root nor to");
    /* another listens than made the file */
    assert_int_equal(chown(at("one/qmp"), ONE, ONE), 0);
    assert_refused(at("one/qmp"), "the process listening there runs neither");
    (void)close(listener);
}

/* Where several users may write, one renames another VM's socket, or its folder, to the name of his
 * own. */
static void what_others_may_rename_is_refused(void **state)
{
    int listener;

    (void)state;
    as_user_or_skip();
    make_folder("all", 0);
    assert_int_equal(chmod(at("all"), 0777), 0);
    make_folder("all/other", OTHER);
    listener = listen_as(OTHER, "all/other/qmp");
    assert_int_equal(rename(at("all/other"), at("all/one")), 0);
    assert_refused(at("all/one/qmp"), "others can rename the socket");
    assert_int_equal(rename(at("all/one/qmp"), at("all/one.qmp")), 0);
    assert_refused(at("all/one.qmp"), "others can rename the socket");
    assert_int_equal(chmod(at("all"), 0770), 0);
    assert_refused(at("all/one.qmp"), "others can rename the socket");
    assert_int_equal(chmod(at("all"), 01777), 0); /* as /tmp is */
    assert_int_equal(try(at("all/one.qmp")), 0);
    assert_int_equal(chmod(at("all"), 0755), 0);
    assert_int_equal(try(at("all/one.qmp")), 0);
    /* the folder of a user may be his group's */
    assert_int_equal(chmod(at("all/one"), 0775), 0);
    assert_int_equal(rename(at("all/one.qmp"), at("all/one/qmp")), 0);
    assert_int_equal(try(at("all/one/qmp")), 0);
    (void)close(listener);
}

/* QEMU started by root with -runas, and libvirt's, whose sockets root makes for QEMU's user. */
static void socket_that_root_made_is_good_in_any_folder(void **state)
{
    int listener;

    (void)state;
    as_user_or_skip();
    make_folder("one", ONE);
    listener = listen_at(at("one/qmp"));
    assert_int_equal(try(at("one/qmp")), 0);
    assert_int_equal(chown(at("one/qmp"), ONE, ONE), 0);
    assert_int_equal(try(at("one/qmp")), 0);
    (void)close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(socket_is_connected_to_and_its_owner_told),
        TEST(what_is_no_socket_is_refused),
        TEST(link_in_its_place_is_refused_whoever_made_it),
        TEST(link_on_the_way_is_followed_if_it_is_roots),
        TEST(as_many_links_are_followed_as_the_kernel_follows),
        TEST(names_and_ways_have_the_lengths_that_the_kernel_has),
        TEST(link_on_the_way_is_refused_if_it_is_anothers),
        TEST(socket_of_another_user_is_refused),
        TEST(what_others_may_rename_is_refused),
        TEST(socket_that_root_made_is_good_in_any_folder),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
