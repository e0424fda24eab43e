/* share: where it is mounted, how, what is waited for, and what is said of one that cannot be. The
 * mounts are real (place.h), the devices are played (shares_played.h). */
#include "descriptors.h"
#include "init/work/share.h"
#include "init/work/wait.h"
#include "place.h"
#include "shares_played.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT "/proc/sys/fs/fuse/max_pages_limit"

static struct {
    int waits, wait_error; /* at the second wait */
    const char *comes;     /* the tag of a share that is mounted on /mnt meanwhile */
    char done[64];         /* of 9P, in its order */
    int connected;         /* its connection, or an error */
    int other_end;
    const char *limit; /* of pages; NULL: the kernel has none */
    char written[32];  /* there */
} played;

int __wrap_wait_next(struct wait *wait, const char *subsystem);
int __wrap_wait_next(struct wait *wait, const char *subsystem)
{
    (void)wait;
    assert_string_equal(subsystem, "virtio");
    if (played.comes)
        shares_played_mount("virtiofs", played.comes, "/mnt");
    return ++played.waits == 2 ? played.wait_error : 0;
}

void __wrap_wait_loader(pid_t loader, uint64_t until_ns);
void __wrap_wait_loader(pid_t loader, uint64_t until_ns)
{
    assert_true(until_ns > 0);
    (void)snprintf(played.done, sizeof(played.done), "loader %d ", (int)loader);
}

int __wrap_wait_connected(uint32_t cid, uint32_t vsock_port, uint64_t until_ns);
int __wrap_wait_connected(uint32_t cid, uint32_t vsock_port, uint64_t until_ns)
{
    int ends[2];

    assert_true(until_ns > 0);
    (void)snprintf(played.done + strlen(played.done), sizeof(played.done) - strlen(played.done),
                   "connection %u.%u ", cid, vsock_port);
    if (played.connected < 0)
        return played.connected;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    played.connected = ends[0];
    played.other_end = ends[1];
    return ends[0];
}

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    assert_string_equal(path, LIMIT);
    if (!played.limit)
        return -ENOENT;
    return snprintf(buffer, capacity, "%s", played.limit);
}

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    assert_string_equal(path, LIMIT);
    (void)snprintf(played.written, sizeof(played.written), "%s", text);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    played.other_end = -1;
    shares_played_clear();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (played.other_end >= 0)
        (void)close(played.other_end);
    place_clear();
    return 0;
}

static const struct modules_late loaded = {.failed = "; modules that cannot be loaded: fuse"};

static struct share_order order_of(const char *tag, const char *target)
{
    struct share_order order = {.late = &loaded, .timeout_ms = 30};

    (void)snprintf(order.tag, sizeof(order.tag), "%s", tag);
    (void)snprintf(order.target, sizeof(order.target), "%s", target);
    return order;
}

/* @param text  "": it succeeds */
static void expect(const struct share_order *order, int error, const char *text)
{
    struct report report = {0};

    share_mount(order, &report);
    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
}

static void share_is_mounted_where_it_is_to_be(void **state)
{
    struct share_order order = order_of("data", "/srv/a/data");

    (void)state;
    expect(&order, 0, "");
    assert_int_equal(shares_played.count, 1);
    assert_string_equal(shares_played.type, "virtiofs");
    assert_string_equal(shares_played.source, "data");
    assert_string_equal(shares_played.target, "/srv/a/data");
    assert_string_equal(shares_played.data, "-");
    assert_int_equal(shares_played.flags, MS_NOSUID | MS_NODEV);
    assert_int_equal(played.waits, 0);
    expect(&order, 0, "");
    assert_int_equal(shares_played.count, 1); /* it was mounted already */
}

static void flags_are_those_of_the_order(void **state)
{
    struct share_order order = order_of("data", "/mnt");

    (void)state;
    order.read_only = true;
    expect(&order, 0, "");
    assert_int_equal(shares_played.flags, MS_NOSUID | MS_NODEV | MS_RDONLY);
    order = order_of("root", "/sysroot");
    order.as_root = true;
    expect(&order, 0, "");
    assert_int_equal(shares_played.flags, 0);
    order = order_of("root", "/other");
    order.as_root = order.read_only = true;
    expect(&order, 0, "");
    assert_int_equal(shares_played.flags, MS_RDONLY);
}

static void what_is_mounted_there_is_not_hidden(void **state)
{
    struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played_mount("virtiofs", "other", "/mnt");
    expect(&order, EBUSY, "target '/mnt': virtiofs 'other' is mounted there");
    (void)umount2("/mnt", 0);
    shares_played_mount("9p", "data", "/mnt");
    expect(&order, EBUSY, "target '/mnt': 9p 'data' is mounted there");
    order.by_9p = true;
    expect(&order, 0, "");
    (void)umount2("/mnt", 0);
    shares_played_mount("virtiofs", "data", "/mnt");
    expect(&order, EBUSY, "target '/mnt': virtiofs 'data' is mounted there");
    assert_int_equal(shares_played.count, 0);
    assert_string_equal(played.done, "");
}

static void share_below_is_not_hidden(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    place_folder("/mnt");
    shares_played_mount("9p", "other", "/mnt/below");
    expect(&order, EBUSY, "target '/mnt': would hide 9p 'other', which is mounted at '/mnt/below'");
    assert_int_equal(shares_played.count, 0);
}

static void submount_of_a_share_is_covered(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played_mount("virtiofs", "none", "/mnt");
    expect(&order, 0, "");
    assert_int_equal(shares_played.count, 1);
}

static void tag_has_its_size(void **state)
{
    struct share_order order = order_of("", "/mnt");

    (void)state;
    expect(&order, EINVAL, "tag '': expected 1 to 36 bytes");
    order = order_of("1234567890123456789012345678901234567", "/mnt");
    expect(&order, EINVAL, "tag '1234567890123456789012345678901234567': expected 1 to 36 bytes");
    assert_int_equal(shares_played.count, 0);
    order = order_of("123456789012345678901234567890123456", "/mnt");
    expect(&order, 0, "");
}

static void target_is_one_of_the_guests(void **state)
{
    struct share_order order = order_of("data", "/proc/1");

    (void)state;
    expect(&order, EINVAL, "target '/proc/1': /proc belongs to the kernel");
    order = order_of("data", "/link/data");
    assert_int_equal(symlink("/proc", "/link"), 0);
    expect(&order, ENOTDIR,
           "target '/link/data': 'link' is not a plain directory: Not a "
           "directory");
    assert_int_equal(shares_played.count, 0);
}

static void device_is_waited_for(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = shares_played.errors[1] = EINVAL;
    expect(&order, 0, "");
    assert_int_equal(shares_played.count, 3);
    assert_int_equal(played.waits, 2);
}

static void device_that_does_not_come_is_told(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = shares_played.errors[1] = EINVAL;
    played.wait_error = -ETIMEDOUT;
    expect(&order, ETIMEDOUT, "virtiofs 'data': no device with this tag appeared within 30 ms");
}

static void wait_that_fails_is_told(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = shares_played.errors[1] = EINVAL;
    played.wait_error = -ENOMEM;
    expect(&order, ENOMEM, "cannot wait for a device: Cannot allocate memory");
}

#define NO_VIRTIOFS                                                                                \
    "virtiofs 'data': this kernel has no virtiofs; modules that cannot be loaded: fuse"

static void kernel_without_virtiofs_is_told_at_once(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = ENODEV;
    expect(&order, ENODEV, NO_VIRTIOFS);
    assert_int_equal(played.waits, 0);
}

/* Unless its module is still to be loaded. */
static void module_that_comes_late_is_waited_for(void **state)
{
    struct share_order order = order_of("data", "/mnt");
    struct modules_late late = loaded;

    (void)state;
    late.loader = fork();
    if (late.loader == 0) {
        (void)pause();
        _exit(0);
    }
    order.late = &late;
    shares_played.errors[0] = ENODEV;
    expect(&order, 0, "");
    assert_int_equal(played.waits, 1);
    assert_int_equal(umount2("/mnt", 0), 0);
    shares_played_clear();
    shares_played.errors[0] = ENODEV;
    played.wait_error = -ETIMEDOUT;
    expect(&order, ENODEV, NO_VIRTIOFS);
    (void)kill(late.loader, SIGKILL);
    assert_int_equal(waitpid(late.loader, NULL, 0), late.loader);
}

static void other_failures_are_told_at_once(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = EPERM;
    expect(&order, EPERM, "virtiofs 'data' on '/mnt': Operation not permitted");
    assert_int_equal(played.waits, 0);
}

static void target_is_judged_after_each_wait(void **state)
{
    const struct share_order order = order_of("data", "/mnt");

    (void)state;
    shares_played.errors[0] = EINVAL;
    played.comes = "other";
    expect(&order, EBUSY, "target '/mnt': virtiofs 'other' is mounted there");
    assert_int_equal(shares_played.count, 1);
    assert_int_equal(umount2("/mnt", 0), 0);
    shares_played_clear();
    shares_played.errors[0] = EINVAL;
    played.comes = "data"; /* another job mounted it */
    expect(&order, 0, "");
    assert_int_equal(shares_played.count, 1);
}

/* What the kernel logs meanwhile is put behind the reason. */
static void kernels_words_are_told(void **state)
{
    const struct share_order order = order_of("data", "/mnt");
    int log;

    (void)state;
    place_folder("/dev");
    assert_int_equal(mkfifo("/dev/kmsg", 0600), 0);
    log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(write(log, "3,1,2,-;virtio-fs: it did not\n", 30) == 30);
    shares_played.errors[0] = EPERM;
    expect(&order, EPERM,
           "virtiofs 'data' on '/mnt': Operation not permitted; its kernel: virtio-fs: it did not");
    (void)close(log);
}

static void requests_fit_into_a_pool(void **state)
{
    struct share_order order = order_of("data", "/mnt");
    const long most = (256L << 10) / sysconf(_SC_PAGESIZE) - 4;
    char limit[32], written[32];

    (void)state;
    order.bounces = true;
    (void)snprintf(written, sizeof(written), "%ld\n", most);
    for (int above = -1; above <= 1; above++) {
        (void)snprintf(limit, sizeof(limit), "%ld\n", most + above);
        played.limit = limit;
        expect(&order, 0, "");
        assert_string_equal(played.written, above > 0 ? written : "");
        assert_int_equal(umount2("/mnt", 0), 0);
    }
    played.written[0] = '\0';
    order.bounces = false;
    expect(&order, 0, "");
    assert_string_equal(played.written, "");
    assert_int_equal(umount2("/mnt", 0), 0);
    order.bounces = order.by_9p = true;
    expect(&order, 0, "");
    assert_string_equal(played.written, "");
    order = order_of("other", "/old");
    order.bounces = true;
    played.limit = NULL;
    expect(&order, 0, "");
    assert_string_equal(played.written, "");
}

static struct share_order order_of_9p(const struct modules_late *late)
{
    struct share_order order = order_of("a share with a name of more than 36 bytes", "/mnt");

    order.by_9p = true;
    order.cid = 2;
    order.port = 1234;
    order.late = late;
    return order;
}

#define TAG_9P "9p 'a share with a name of more than 36 '"

static void share_by_9p_has_a_connection(void **state)
{
    struct modules_late late = {.loader = 77};
    const struct share_order order = order_of_9p(&late);
    char options[256], byte;

    (void)state;
    expect(&order, 0, "");
    assert_string_equal(played.done, "loader 77 connection 2.1234 ");
    assert_string_equal(shares_played.type, "9p");
    assert_string_equal(shares_played.source, order.tag);
    assert_int_equal(shares_played.flags, MS_NOSUID | MS_NODEV);
    (void)snprintf(options, sizeof(options),
                   "trans=fd,rfdno=%d,wfdno=%d,msize=65536,version=9p2000.L,access=user,uname=root,"
                   "aname=/proc/self/cwd/.",
                   played.connected, played.connected);
    assert_string_equal(shares_played.data, options);
    assert_int_equal(read(played.other_end, &byte, 1), 0); /* the kernel has one of its own */
}

static void what_9p_cannot_do_is_told(void **state)
{
    static const struct {
        int connected, mounted;
        const char *text;
    } rows[] = {
        {-ECONNREFUSED, 0, TAG_9P ": no connection to vsock port 1234: Connection refused"},
        {0, ENODEV, TAG_9P ": this kernel has no 9p; modules that cannot be loaded: fuse"},
        {0, EPERM, TAG_9P " on '/mnt': Operation not permitted"},
    };
    const struct share_order order = order_of_9p(&loaded);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        played.connected = rows[i].connected;
        shares_played.errors[0] = rows[i].mounted;
        expect(&order, rows[i].mounted ? rows[i].mounted : -rows[i].connected, rows[i].text);
        finish(state);
        begin(state);
    }
}

static void expect_unmount(const struct share_order *order, int error, const char *text)
{
    struct report report = {0};

    share_unmount(order, &report);
    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
    assert_int_equal(chdir("/"), 0);
}

static void share_is_unmounted(void **state)
{
    const struct share_order order = order_of("", "/mnt");

    (void)state;
    shares_played_mount("virtiofs", "data", "/mnt");
    expect_unmount(&order, 0, "");
    expect_unmount(&order, EINVAL, "cannot unmount '/mnt': Invalid argument");
}

static void share_in_use_is_unmounted_if_it_is_to_be(void **state)
{
    struct share_order order = order_of("", "/mnt");
    int user;

    (void)state;
    shares_played_mount("9p", "data", "/mnt");
    user = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    expect_unmount(&order, EBUSY, "cannot unmount '/mnt': Device or resource busy");
    order.detach = true;
    expect_unmount(&order, 0, "");
    expect_unmount(&order, EINVAL, "cannot unmount '/mnt': Invalid argument");
    (void)close(user);
}

static void what_is_no_share_is_not_detached(void **state)
{
    struct share_order order = order_of("", "/mnt");

    (void)state;
    place_tmpfs("/mnt");
    order.detach = true;
    expect_unmount(&order, EINVAL, "'/mnt' is a mount of tmpfs, not a share; not unmounting it");
    order.detach = false;
    expect_unmount(&order, 0, "");
}

static void what_cannot_be_reached_is_not_unmounted(void **state)
{
    struct share_order order = order_of("", "/proc");

    (void)state;
    expect_unmount(&order, EINVAL, "target '/proc': /proc belongs to the kernel");
    order = order_of("", "/nothing/data");
    expect_unmount(&order, ENOENT,
                   "target '/nothing/data': 'nothing' is not a plain directory: No "
                   "such file or directory");
    place_tmpfs("/mnt");
    assert_int_equal(symlink("/mnt", "/link"), 0);
    order = order_of("", "/link");
    expect_unmount(&order, EINVAL, "cannot unmount '/link': Invalid argument");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(share_is_mounted_where_it_is_to_be),
        PLACED(flags_are_those_of_the_order),
        PLACED(what_is_mounted_there_is_not_hidden),
        PLACED(share_below_is_not_hidden),
        PLACED(submount_of_a_share_is_covered),
        PLACED(tag_has_its_size),
        PLACED(target_is_one_of_the_guests),
        PLACED(device_is_waited_for),
        PLACED(device_that_does_not_come_is_told),
        PLACED(wait_that_fails_is_told),
        PLACED(kernel_without_virtiofs_is_told_at_once),
        PLACED(module_that_comes_late_is_waited_for),
        PLACED(other_failures_are_told_at_once),
        PLACED(target_is_judged_after_each_wait),
        PLACED(kernels_words_are_told),
        PLACED(requests_fit_into_a_pool),
        PLACED(share_by_9p_has_a_connection),
        PLACED(what_9p_cannot_do_is_told),
        PLACED(share_is_unmounted),
        PLACED(share_in_use_is_unmounted_if_it_is_to_be),
        PLACED(what_is_no_share_is_not_detached),
        PLACED(what_cannot_be_reached_is_not_unmounted),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
