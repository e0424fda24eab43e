/* settings: what a kernel and an empty root get, and what somebody else set stays. No setting, file
 * or folder of this machine is read or changed (CMakeLists.txt). */
#include "init/kernel/settings.h"
#include "kmsg_played.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

static const char *found; /* in each setting; NULL: the kernel has none */
static int write_error, folder_error;
static char set[512], made[256];

static const char *name; /* of the host */
static char hosts[512];  /* the text of /etc/hosts; "": there is none */
static bool is_link, is_lost;
static int open_error, rename_error;
static int writes;
static char *written; /* into the new file */

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    const char *text = strcmp(path, "/etc/hosts") == 0 ? hosts : found;

    buffer[0] = '\0';
    if (!text)
        return -ENOENT;
    assert_in_range(strlen(text), 0, capacity - 1);
    return snprintf(buffer, capacity, "%s", text);
}

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    (void)snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s=%s ", strrchr(path, '/') + 1,
                   text);
    return -write_error;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    assert_int_equal(mode, 0755);
    (void)snprintf(made + strlen(made), sizeof(made) - strlen(made), "%s ", path);
    errno = folder_error;
    return folder_error ? -1 : 0;
}

int __wrap_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode)
{
    (void)snprintf(made + strlen(made), sizeof(made) - strlen(made), "%o:%s ", mode, path);
    return 0;
}

int __wrap_uname(struct utsname *ret);
int __wrap_uname(struct utsname *ret)
{
    (void)snprintf(ret->nodename, sizeof(ret->nodename), "%s", name);
    return 0;
}

int __wrap_lstat(const char *path, struct stat *ret);
int __wrap_lstat(const char *path, struct stat *ret)
{
    assert_false(is_lost);
    assert_string_equal(path, "/etc/hosts");
    *ret = (struct stat){.st_mode = is_link ? S_IFLNK | 0777 : S_IFREG | 0644};
    return hosts[0] ? 0 : -1;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    assert_string_equal(path, "/etc/hosts.guestlink");
    assert_int_equal(flags, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
    errno = open_error;
    return open_error ? -1 : dup(STDIN_FILENO);
}

ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    (void)fd;
    written = realloc(written, size + 1);
    memcpy(written, data, size);
    written[size] = '\0';
    errno = ENOSPC;
    return (ssize_t)(writes < 0 ? size - 1 : size);
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    assert_string_equal(from, "/etc/hosts.guestlink");
    assert_string_equal(to, "/etc/hosts");
    errno = rename_error;
    if (rename_error)
        return -1;
    (void)snprintf(hosts, sizeof(hosts), "%s", written);
    writes++;
    return 0;
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    assert_string_equal(path, "/etc/hosts.guestlink");
    free(written);
    written = NULL;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    set[0] = made[0] = kmsg_played[0] = '\0';
    write_error = folder_error = 0;
    return 0;
}

#define ALL "protected_symlinks=1 protected_hardlinks=1 protected_fifos=1 protected_regular=1 "

static void what_the_kernel_left_as_it_was_is_set(void **state)
{
    static const struct {
        const char *found, *set;
    } rows[] = {{"0\n", ALL},
                {"0", ALL},
                {"1\n", ""},
                {"2\n", ""},
                {"1\t0\n", "ping_group_range=0 2147483647 "},
                {"0\t1000\n", ""},
                {NULL, ""}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(state);
        found = rows[i].found;
        settings_apply();
        assert_string_equal(set, rows[i].set);
        kmsg_expect("");
        assert_string_equal(made, "/var /run/lock 1777:/run/lock /var/tmp 1777:/var/tmp ");
    }
}

static void what_cannot_be_set_is_told(void **state)
{
    (void)state;
    found = "1\t0\n";
    write_error = EPERM;
    settings_apply();
    kmsg_expect("4 cannot set /proc/sys/net/ipv4/ping_group_range to \"0 2147483647\": Operation "
                "not permitted\n");
}

static void folders_that_are_there_or_cannot_be_are_left(void **state)
{
    static const struct {
        int error;
        const char *lines;
    } rows[] = {{EEXIST, ""},
                {EROFS, ""},
                {ENOSPC, "4 cannot create /run/lock: No space left on device\n"
                         "4 cannot create /var/tmp: No space left on device\n"}};

    found = NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(state);
        folder_error = rows[i].error;
        settings_apply();
        assert_string_equal(made, "/var /run/lock /var/tmp ");
        kmsg_expect(rows[i].lines);
    }
}

#define LOCALHOST "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

/* In one test: what was written is remembered from call to call. */
static void hosts_are_written_until_somebody_else_writes_them(void **state)
{
    static const char *const unnamed[] = {"", "localhost", "a b", "a#", "(none)"};

    (void)state;
    name = "guest";
    strcpy(hosts, "somebody's\n");
    settings_write_hosts();
    assert_int_equal(writes, 0); /* an image's */
    hosts[0] = '\0';
    open_error = EROFS;
    settings_write_hosts();
    kmsg_expect("");
    open_error = EACCES;
    settings_write_hosts();
    kmsg_expect("4 cannot write /etc/hosts: Permission denied\n");
    open_error = 0;
    writes = -1;
    settings_write_hosts();
    kmsg_expect("4 cannot write /etc/hosts: No space left on device\n");
    assert_null(written); /* removed */
    writes = 0;
    rename_error = EBUSY;
    settings_write_hosts();
    kmsg_expect("4 cannot write /etc/hosts: Device or resource busy\n");
    assert_null(written);
    rename_error = 0;

    settings_write_hosts();
    assert_string_equal(hosts, LOCALHOST "127.0.1.1 guest\n");
    for (size_t i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++) {
        name = unnamed[i];
        settings_write_hosts();
        assert_string_equal(hosts, LOCALHOST);
    }
    name = "other";
    settings_write_hosts();
    assert_string_equal(hosts, LOCALHOST "127.0.1.1 other\n");
    is_link = true;
    name = "linked";
    settings_write_hosts();
    assert_string_equal(hosts, LOCALHOST "127.0.1.1 other\n");
    is_link = false;
    (void)snprintf(hosts + strlen(hosts), sizeof(hosts) - strlen(hosts), "192.0.2.1 more\n");
    settings_write_hosts();
    assert_string_equal(hosts, LOCALHOST "127.0.1.1 other\n192.0.2.1 more\n");
    hosts[0] = '\0'; /* removed: written anew */
    settings_write_hosts();
    assert_string_equal(hosts, LOCALHOST "127.0.1.1 linked\n");
    hosts[0] = '\0';
    is_lost = true; /* the same name again: nothing of /etc is looked at */
    settings_write_hosts();
    kmsg_expect("");
    free(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_kernel_left_as_it_was_is_set, set_up),
        cmocka_unit_test_setup(what_cannot_be_set_is_told, set_up),
        cmocka_unit_test_setup(folders_that_are_there_or_cannot_be_are_left, set_up),
        cmocka_unit_test_setup(hosts_are_written_until_somebody_else_writes_them, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
