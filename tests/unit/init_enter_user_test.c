/* guestlink-enter: who a command becomes, by a root's /etc/passwd and /etc/group. Nobody is changed
 * here, and the two files are the test's (CMakeLists.txt). */
#include "init/enter/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

static const char *users, *members; /* NULL: there is no such file */
static gid_t groups[512];
static size_t group_count;
static uid_t uid;
static gid_t gid;
static unsigned steps;
static uid_t stream_uid[3]; /* to whom each was given */
static gid_t stream_gid[3];

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    const char *text = strcmp(path, "/etc/passwd") == 0 ? users : members;

    assert_string_equal(mode, "re");
    return text ? fmemopen((char *)text, strlen(text), "r") : NULL;
}

int __wrap_fchown(int fd, uid_t owner, gid_t group);
int __wrap_fchown(int fd, uid_t owner, gid_t group)
{
    assert_int_equal(steps, 0); /* as long as it is still allowed */
    assert_in_range(fd, 0, 2);
    stream_uid[fd] = owner;
    stream_gid[fd] = group;
    return 0;
}

int __wrap_setgroups(size_t count, const gid_t *list);
int __wrap_setgroups(size_t count, const gid_t *list)
{
    assert_int_equal(steps++, 0); /* as long as it is still allowed */
    assert_in_range(count, 1, 256);
    memcpy(groups, list, count * sizeof(*list));
    group_count = count;
    return 0;
}

int __wrap_setresgid(gid_t real, gid_t effective, gid_t saved);
int __wrap_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    assert_int_equal(steps++, 1);
    assert_true(real == effective && effective == saved);
    gid = real;
    return 0;
}

int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved);
int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    assert_int_equal(steps++, 2);
    assert_true(real == effective && effective == saved);
    uid = real;
    errno = EAGAIN;
    return uid == 77 ? -1 : 0; /* too many processes of that user */
}

static int set_up(void **state)
{
    (void)state;
    users = "root:x:0:5:root:/root:/bin/sh\n"
            "me:x:1000:100::/home/me:/bin/sh\n"
            "4321:x:7:8::/odd:/bin/sh\n"
            "full:x:77:77::/:/bin/sh\n";
    members = "audio:x:29:you,me\nvideo:x:44:you\nusers:x:100:\ndisk:x:6:me,root\nmen:x:30:mee,m\n";
    return 0;
}

static int become(const char *text)
{
    steps = 0;
    group_count = 0;
    uid = 55555;
    gid = 55555;
    assert_int_equal(setenv("HOME", "before", 1), 0);
    assert_int_equal(setenv("USER", "before", 1), 0);
    assert_int_equal(setenv("LOGNAME", "before", 1), 0);
    return user_become(text);
}

static void need(uid_t wanted_uid, gid_t wanted_gid, const char *home, const char *name)
{
    assert_int_equal(steps, 3);
    assert_int_equal(uid, wanted_uid);
    assert_int_equal(gid, wanted_gid);
    assert_string_equal(getenv("HOME"), home);
    assert_string_equal(getenv("USER"), name);
    assert_string_equal(getenv("LOGNAME"), name);
}

static void need_groups(size_t count, const gid_t *wanted)
{
    assert_int_equal(group_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(groups[i], wanted[i]);
}

static void user_has_home_and_groups(void **state)
{
    (void)state;
    assert_int_equal(become("me"), 0);
    need(1000, 100, "/home/me", "me");
    need_groups(3, (const gid_t[]){29, 6, 100});
    assert_int_equal(become("1000"), 0);
    need(1000, 100, "/home/me", "me");
    need_groups(3, (const gid_t[]){29, 6, 100});
    assert_int_equal(become("root"), 0);
    need(0, 5, "/root", "root");
    need_groups(2, (const gid_t[]){6, 5});
}

static void streams_are_the_users(void **state)
{
    int saved[2] = {dup(0), dup(1)}, pipe_fds[2], master = posix_openpt(O_RDWR | O_NOCTTY), slave;

    (void)state;
    assert_true(saved[0] >= 0 && saved[1] >= 0 && master >= 0);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    memset(stream_uid, 0x55, sizeof(stream_uid));
    (void)dup2(pipe_fds[0], 0);
    (void)fflush(stdout);
    (void)dup2(slave, 1);
    (void)become("me");
    (void)dup2(saved[0], 0);
    (void)dup2(saved[1], 1);
    assert_int_equal(stream_uid[0], 1000);
    assert_int_equal(stream_gid[0], 100);
    assert_int_equal(stream_uid[1], 1000);
    assert_int_equal(stream_gid[1], (gid_t)-1); /* tty's, as before */
    for (size_t i = 0; i < 2; i++) {
        (void)close(saved[i]);
        (void)close(pipe_fds[i]);
    }
    (void)close(slave);
    (void)close(master);
}

static void named_group_is_the_only_one(void **state)
{
    (void)state;
    assert_int_equal(become("me:video"), 0);
    need(1000, 44, "/home/me", "me");
    need_groups(1, (const gid_t[]){44});
    assert_int_equal(become("1000:1234"), 0);
    need(1000, 1234, "/home/me", "me");
    need_groups(1, (const gid_t[]){1234});
    assert_int_equal(become("me:nobody"), -ENOENT);
    assert_int_equal(steps, 0);
}

static void numbers_need_no_entry(void **state)
{
    static const char *const wrong[] = {"you", "", ":5", "1000x", "-1", "+1", "4294967295", "m"};

    (void)state;
    assert_int_equal(become("2000"), 0);
    need(2000, 2000, "/", "before");
    need_groups(1, (const gid_t[]){2000});
    assert_int_equal(become("2000:5"), 0);
    need(2000, 5, "/", "before");
    assert_int_equal(become("4321"), 0); /* a number, though somebody is called so */
    need(4321, 4321, "/", "before");
    assert_int_equal(become("4294967294"), 0);
    need(4294967294, 4294967294, "/", "before");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(become(wrong[i]), -ENOENT);
        assert_int_equal(steps, 0);
        assert_string_equal(getenv("HOME"), "before");
    }
}

static void root_needs_no_files(void **state)
{
    (void)state;
    users = members = NULL;
    assert_int_equal(become("root"), 0);
    need(0, 0, "/", "before");
    need_groups(1, (const gid_t[]){0});
    assert_int_equal(become("me"), -ENOENT);
    assert_int_equal(become("5:users"), -ENOENT);
    assert_int_equal(become("5:6"), 0);
    need(5, 6, "/", "before");
}

static void failure_is_the_kernels(void **state)
{
    (void)state;
    assert_int_equal(become("full"), -EAGAIN);
    assert_string_equal(getenv("HOME"), "before");
}

static void groups_are_bounded(void **state)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    for (unsigned i = 0; i < 400; i++)
        (void)fprintf(file, "g%u:x:%u:me\n", i, 10000 + i);
    (void)fclose(file);
    members = text;
    assert_int_equal(become("me"), 0);
    assert_int_equal(group_count, 256);
    assert_int_equal(groups[254], 10254);
    assert_int_equal(groups[255], 100); /* its own comes along */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(user_has_home_and_groups, set_up),
        cmocka_unit_test_setup(streams_are_the_users, set_up),
        cmocka_unit_test_setup(named_group_is_the_only_one, set_up),
        cmocka_unit_test_setup(numbers_need_no_entry, set_up),
        cmocka_unit_test_setup(root_needs_no_files, set_up),
        cmocka_unit_test_setup(failure_is_the_kernels, set_up),
        cmocka_unit_test_setup(groups_are_bounded, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
