/* devices, the console and lo: what /dev has then, who may open it, that three descriptors are
 * taken, and that lo is up. In a place of the test's own (place.h). */
#include "descriptors.h"
#include "init/kernel/console.h"
#include "init/kernel/devices.h"
#include "init/kernel/loopback.h"
#include "kmsg_played.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static mode_t mode;     /* of the devices: a place can create none */
static const char *odd; /* chmod() of this one fails */
static char changed[256];

int __real_lstat(const char *path, struct stat *ret);
int __wrap_lstat(const char *path, struct stat *ret);
int __wrap_lstat(const char *path, struct stat *ret)
{
    int r = __real_lstat(path, ret);

    ret->st_mode = mode;
    return r;
}

int __wrap_chmod(const char *path, mode_t to);
int __wrap_chmod(const char *path, mode_t to)
{
    (void)snprintf(changed + strlen(changed), sizeof(changed) - strlen(changed), "%s=%o ", path,
                   to);
    errno = EPERM;
    return odd && strcmp(path, odd) == 0 ? -1 : 0;
}

static int begin(void **state)
{
    (void)state;
    odd = NULL;
    changed[0] = kmsg_played[0] = '\0';
    mode = S_IFCHR | 0600;
    place_folder("/dev");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    place_clear();
    return 0;
}

static void links_are_made(void **state)
{
    static const char *const links[][2] = {{"/dev/fd", "/proc/self/fd"},
                                           {"/dev/stdin", "/proc/self/fd/0"},
                                           {"/dev/stdout", "/proc/self/fd/1"},
                                           {"/dev/stderr", "/proc/self/fd/2"},
                                           {"/dev/core", "/proc/kcore"}};

    (void)state;
    assert_int_equal(symlink("there already", "/dev/stdin"), 0);
    devices_link();
    for (size_t i = 0; i < 5; i++) {
        char to[64] = "";

        assert_true(readlink(links[i][0], to, sizeof(to) - 1) > 0);
        assert_string_equal(to, i == 1 ? "there already" : links[i][1]);
    }
    kmsg_expect("");
}

static void links_that_cannot_be_made_are_told(void **state)
{
    (void)state;
    assert_int_equal(rmdir("/dev"), 0);
    devices_link();
    kmsg_expect("4 cannot link /dev/fd: No such file or directory\n"
                "4 cannot link /dev/stdin: No such file or directory\n"
                "4 cannot link /dev/stdout: No such file or directory\n"
                "4 cannot link /dev/stderr: No such file or directory\n"
                "4 cannot link /dev/core: No such file or directory\n");
}

/* As udev has them; what has another mode is somebody's. */
static void devices_without_secrets_are_for_every_user(void **state)
{
    (void)state;
    place_folder("/dev/net");
    place_file("/dev/vsock", "");
    place_file("/dev/net/tun", "");
    devices_open();
    assert_string_equal(changed, "/dev/vsock=666 /dev/net/tun=666 ");
    kmsg_expect("");
    changed[0] = '\0';
    mode = S_IFCHR | 0660;
    devices_open();
    mode = S_IFREG | 0600;
    devices_open();
    assert_string_equal(changed, "");
    mode = S_IFCHR | 0600;
    odd = "/dev/vsock";
    devices_open();
    assert_string_equal(changed, "/dev/vsock=666 /dev/net/tun=666 ");
    kmsg_expect("4 cannot open /dev/vsock to every user: Operation not permitted\n");
}

/* In a child without its descriptors. @return its status: 0; or which one was not as it should be
 */
static int console(const char *expected, bool has_streams)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        char link[64], to[64];

        for (int fd = has_streams ? 3 : 0; fd < 20; fd++)
            (void)close(fd);
        console_ensure();
        for (int fd = 0; fd < 4; fd++) {
            ssize_t size;

            (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
            size = readlink(link, to, sizeof(to) - 1);
            to[size > 0 ? size : 0] = '\0';
            if (fd == 3 ? size >= 0 : expected && strcmp(to, expected) != 0)
                _exit(fd + 1);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void three_descriptors_are_taken(void **state)
{
    (void)state;
    assert_int_equal(console("/", false), 0);
    place_file("/dev/null", "");
    assert_int_equal(console("/dev/null", false), 0);
    place_file("/dev/console", "");
    assert_int_equal(console("/dev/console", false), 0);
    assert_int_equal(console(NULL, true), 0);
}

static short flags_of_lo(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    (void)close(fd);
    return request.ifr_flags;
}

static void lo_is_up(void **state)
{
    (void)state;
    assert_false(flags_of_lo() & IFF_UP);
    assert_int_equal(loopback_up(), 0);
    assert_true(flags_of_lo() & IFF_UP);
    assert_int_equal(loopback_up(), 0);
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(links_are_made),
        PLACED(links_that_cannot_be_made_are_told),
        PLACED(devices_without_secrets_are_for_every_user),
        PLACED(three_descriptors_are_taken),
        PLACED(lo_is_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
