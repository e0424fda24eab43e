/* resolv: whose name servers are in resolv.conf, in which order, and which file that is. In a place
 * of its own (place.h); which interfaces there are, the test says. */
#include "descriptors.h"
#include "init/work/resolv.h"
#include "listed.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DNS    "/run/guestlink/dns"
#define WHOLE  "/run/guestlink/resolv.conf"
#define PUBLIC "/etc/resolv.conf"
#define SIZE   8192 /* the bytes of a resolv.conf and its NUL */

static const char *gone; /* the interface that is not there */
static unsigned locks;

unsigned __wrap_if_nametoindex(const char *name);
unsigned __wrap_if_nametoindex(const char *name)
{
    return !gone || strcmp(name, gone) != 0;
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    locks += operation == LOCK_EX;
    return __real_flock(fd, operation);
}

static int begin(void **state)
{
    (void)state;
    gone = NULL;
    locks = 0;
    place_folder("/run");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    place_clear();
    return 0;
}

static struct report set_as(struct resolv order, const char *servers)
{
    static uint8_t bytes[16384];
    struct report report = {0};

    order.dns = listed(servers, bytes, sizeof(bytes));
    resolv_set(&order, &report);
    return report;
}

/* Sets them; expects no remark. */
static void set(const char *interface, uint32_t metric, const char *servers)
{
    struct report report =
        set_as((struct resolv){.interface = interface, .metric = metric}, servers);

    assert_string_equal(report.text, "");
    assert_int_equal(report.error, 0);
}

static void expect_both(const char *text)
{
    place_expect(WHOLE, text);
    place_expect(PUBLIC, text);
}

/* As an interface's: those, and a remark. */
static void expect_remark(struct resolv order, const char *servers, const char *remark)
{
    struct report report = set_as(order, servers);

    assert_string_equal(report.text, remark);
    assert_int_equal(report.error, 0);
}

static const struct resolv usual = {.interface = "eth0", .metric = 7};

static void servers_of_an_interface_are_written(void **state)
{
    struct stat status;

    (void)state;
    set("eth0", 7, "192.0.2.53,2001:db8::53");
    expect_both("nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    place_expect(DNS "/0000000007-eth0", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    assert_int_equal(lstat(PUBLIC, &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0644);
    assert_int_equal(access(PUBLIC ".new", F_OK), -1);
    assert_int_equal(locks, 1);
}

static void least_metric_comes_first(void **state)
{
    (void)state;
    set("eth0", 100, "192.0.2.1");
    set("eth1", 20, "192.0.2.2");
    set("eth2", 3000, "192.0.2.3");
    expect_both("nameserver 192.0.2.2\nnameserver 192.0.2.1\nnameserver 192.0.2.3\n");
}

static void new_servers_take_the_place_of_old_ones(void **state)
{
    (void)state;
    set("eth0", 100, "192.0.2.1");
    set("eth1", 20, "192.0.2.2");
    set("eth0", 10, "192.0.2.3");
    expect_both("nameserver 192.0.2.3\nnameserver 192.0.2.2\n");
    assert_int_equal(access(DNS "/0000000100-eth0", F_OK), -1);
    set("eth0", 10, "");
    expect_both("nameserver 192.0.2.2\n");
    assert_int_equal(access(DNS "/0000000010-eth0", F_OK), -1);
    set("eth1", 0, "");
    expect_both("");
}

static void servers_of_interfaces_that_are_gone_are_forgotten(void **state)
{
    (void)state;
    set("eth0", 1, "192.0.2.1");
    set("eth1", 2, "192.0.2.2");
    place_file(DNS "/stray", "nameserver 192.0.2.3\n");
    place_file(DNS "/.hidden", "nameserver 192.0.2.4\n");
    gone = "eth0";
    set("-", 0, "");
    expect_both("nameserver 192.0.2.2\n");
    assert_int_equal(access(DNS "/stray", F_OK), -1);
    assert_int_equal(access(DNS "/.hidden", F_OK), 0);
}

static void nothing_is_touched_where_nobody_brought_any(void **state)
{
    (void)state;
    place_folder("/etc");
    place_file(PUBLIC, "theirs\n");
    set("eth0", 1, "");
    assert_int_equal(access("/run/guestlink", F_OK), -1);
    assert_int_equal(locks, 0);
    set("eth0", 1, "192.0.2.1");
    place_file(PUBLIC, "theirs\n");
    place_file(WHOLE, "ours\n");
    set("eth1", 1, "");
    place_expect(PUBLIC, "theirs\n");
    place_expect(WHOLE, "ours\n");
}

static void what_is_no_address_is_an_error(void **state)
{
    static const struct {
        const char *servers, *text;
    } rows[] = {
        {"nobody", "name server 'nobody': expected an address"},
        {"192.0.2.1,192.0.2.2/24", "name server '192.0.2.2/24': expected an address"},
        {"2001:db8::1/64", "name server '2001:db8::1/64': expected an address"},
        {"1234567890123456789012345678901234567890123456789012345678901",
         "name server '123456789012345678901234567890123456789012345678901234567890': expected an "
         "address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report = set_as(usual, rows[i].servers);

        assert_int_equal(report.error, EINVAL);
        assert_string_equal(report.text, rows[i].text);
        assert_int_equal(access("/run/guestlink", F_OK), -1);
    }
}

/* Fills a list so that its lines are @p size bytes. */
static void fill(char *servers, size_t size)
{
    size_t used = 0;

    while (size > 0) {
        size_t line =
            size < 2 * strlen("nameserver 192.0.2.1\n") ? size : strlen("nameserver 192.0.2.1\n");

        used += (size_t)sprintf(servers + used, "%s192.0.2.%s", used ? "," : "",
                                line == 21   ? "1"
                                : line == 22 ? "10"
                                             : "100");
        size -= line;
        if (line < 21 || line > 23)
            fail_msg("no line of %zu bytes", line);
    }
}

static void as_many_servers_as_a_file_takes(void **state)
{
    static char servers[SIZE];
    struct report report;
    struct stat status;

    (void)state;
    fill(servers, SIZE);
    report = set_as(usual, servers);
    assert_int_equal(report.error, E2BIG);
    assert_string_equal(report.text, "name servers: expected at most 8192 bytes of them");
    fill(servers, SIZE - 1);
    set("eth0", 7, servers);
    assert_int_equal(stat(PUBLIC, &status), 0);
    assert_int_equal(status.st_size, SIZE - 1);
}

static void private_ones_are_not_published(void **state)
{
    struct resolv private = usual;

    (void)state;
    place_folder("/etc");
    place_file(PUBLIC, "theirs\n");
    private.is_private = true;
    expect_remark(private, "192.0.2.1", "");
    place_expect(WHOLE, "nameserver 192.0.2.1\n");
    place_expect(PUBLIC, "theirs\n");
}

/* Makes @p link lead to @p to. */
static void lead(const char *link, const char *to)
{
    (void)unlink(link);
    if (symlink(to, link) < 0)
        fail_msg("cannot link %s: %s", link, strerror(errno));
}

static void link_below_run_is_followed(void **state)
{
    static const char *const ways[] = {"../run/a/b/resolv.conf",
                                       "/run/a/b/resolv.conf",
                                       "/run/./a//b/resolv.conf",
                                       "/var/run/a/b/resolv.conf",
                                       "/run/a/../a/b/resolv.conf",
                                       "../../../run/a/b/resolv.conf",
                                       "/run/other",
                                       "...conf"};
    char link[64];

    (void)state;
    place_folder("/etc");
    place_folder("/var");
    lead("/var/run", "../run");
    lead("/run/other", "a/b/resolv.conf");
    lead("/etc/...conf", "/run/a/b/resolv.conf");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char text[64];

        (void)unlink("/run/a/b/resolv.conf");
        (void)rmdir("/run/a/b");
        (void)rmdir("/run/a");
        lead(PUBLIC, ways[i]);
        (void)snprintf(link, sizeof(link), "192.0.2.%zu", i + 1);
        (void)snprintf(text, sizeof(text), "nameserver 192.0.2.%zu\n", i + 1);
        set("eth0", 1, link);
        expect_both(text);
        place_expect("/run/a/b/resolv.conf", text);
        assert_int_equal(readlink(PUBLIC, link, sizeof(link)), strlen(ways[i]));
    }
}

static void link_elsewhere_is_left_alone(void **state)
{
    (void)state;
    place_folder("/etc");
    place_folder("/var");
    place_file("/var/theirs", "theirs\n");
    lead(PUBLIC, "../var/theirs");
    expect_remark(usual, "192.0.2.1",
                  PUBLIC " points to /var/theirs, which is not ours; not changing it; name servers "
                         "are in " WHOLE);
    place_expect("/var/theirs", "theirs\n");
    place_expect(WHOLE, "nameserver 192.0.2.1\n");
    lead(PUBLIC, "/running/theirs");
    expect_remark(usual, "192.0.2.1",
                  PUBLIC " points to /running/theirs, which is not ours; not changing it; name "
                         "servers are in " WHOLE);
}

/* @param count  of links, the one in /etc among them */
static void chain(unsigned count)
{
    char link[32], to[32];

    for (unsigned i = 1; i < count; i++) {
        (void)snprintf(link, sizeof(link), "/run/%u", i);
        (void)snprintf(to, sizeof(to), "%u", i + 1);
        lead(link, to);
    }
    (void)snprintf(link, sizeof(link), "/run/%u", count);
    (void)unlink(link);
    lead(PUBLIC, "/run/1");
}

static void link_without_an_end_is_told(void **state)
{
    char longest[PATH_MAX];

    (void)state;
    place_folder("/etc");
    chain(16);
    set("eth0", 1, "192.0.2.1");
    place_expect("/run/16", "nameserver 192.0.2.1\n");
    chain(17);
    expect_remark(usual, "192.0.2.1", PUBLIC ": a dangling link; name servers are in " WHOLE);
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 100; i < sizeof(longest); i += 100)
        longest[i] = '/';
    longest[PATH_MAX - 1] = '\0';
    lead(PUBLIC, longest);
    expect_remark(usual, "192.0.2.2", PUBLIC ": a dangling link; name servers are in " WHOLE);
    place_expect(WHOLE, "nameserver 192.0.2.2\n");
}

static void distributions_own_file_is_left_alone(void **state)
{
    struct resolv order = usual;

    (void)state;
    place_folder("/etc");
    lead(PUBLIC, "/run/resolv.conf");
    order.is_distributions = true;
    expect_remark(order, "192.0.2.1", "");
    expect_both("nameserver 192.0.2.1\n");
    expect_remark(order, "192.0.2.2", "");
    expect_both("nameserver 192.0.2.2\n"); /* it was ours */
    place_file("/run/resolv.conf", "theirs\n");
    expect_remark(order, "192.0.2.3",
                  PUBLIC " points to /run/resolv.conf, which is not ours; not changing it; name "
                         "servers are in " WHOLE);
    place_expect("/run/resolv.conf", "theirs\n");
    place_file("/run/resolv.conf", "");
    assert_non_null(strstr(set_as(order, "192.0.2.4").text, "not ours"));
    place_file(WHOLE, "");
    expect_remark(order, "192.0.2.4", "");
    expect_both("nameserver 192.0.2.4\n");
    order.is_distributions = false;
    expect_remark(order, "192.0.2.5", "");
    expect_both("nameserver 192.0.2.5\n");
}

/* One more mount each time would be one too many. */
static unsigned count_mounts(void)
{
    FILE *table = fopen("/proc/self/mounts", "re");
    unsigned count = 0;
    char line[1024];

    assert_non_null(table);
    while (fgets(line, sizeof(line), table))
        count++;
    (void)fclose(table);
    return count;
}

static void over_a_file_that_cannot_be_written_ours_is_mounted(void **state)
{
    unsigned before;

    (void)state;
    place_tmpfs("/etc");
    place_file(PUBLIC, "theirs\n");
    assert_int_equal(mount(NULL, "/etc", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    before = count_mounts();
    set("eth0", 1, "192.0.2.1");
    expect_both("nameserver 192.0.2.1\n");
    set("eth0", 1, "192.0.2.2");
    expect_both("nameserver 192.0.2.2\n");
    assert_int_equal(count_mounts(), before + 1);
    /* Now it can be written, but is what is mounted there. */
    assert_int_equal(mount(NULL, "/etc", NULL, MS_REMOUNT, NULL), 0);
    set("eth0", 1, "192.0.2.3");
    expect_both("nameserver 192.0.2.3\n");
    assert_int_equal(count_mounts(), before + 1);
    assert_int_equal(umount2(PUBLIC, MNT_DETACH), 0);
    place_expect(PUBLIC, "theirs\n");
}

static void what_cannot_be_written_is_told(void **state)
{
    (void)state;
    place_tmpfs("/etc");
    assert_int_equal(mount(NULL, "/etc", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_remark(usual, "192.0.2.1",
                  PUBLIC ": No such file or directory; name servers are in " WHOLE);
    assert_int_equal(umount2("/etc", 0), 0);
    place_folder(PUBLIC ".new");
    expect_remark(usual, "192.0.2.2", PUBLIC ": Is a directory; name servers are in " WHOLE);
    assert_int_equal(rmdir(PUBLIC ".new"), 0);
    place_folder(WHOLE ".new");
    expect_remark(usual, "192.0.2.3", WHOLE ": Is a directory");
    place_expect(WHOLE, "nameserver 192.0.2.2\n");
    assert_int_equal(rmdir(WHOLE ".new"), 0);
    place_folder(DNS "/0000000007-eth0.new");
    expect_remark(usual, "192.0.2.4", WHOLE ": Is a directory");
    assert_int_equal(rmdir(DNS "/0000000007-eth0.new"), 0);
    (void)unlink(DNS "/0000000007-eth0");
    assert_int_equal(rmdir(DNS), 0);
    place_file(DNS, "");
    expect_remark(usual, "192.0.2.5", DNS ": Not a directory");
}

static void half_a_file_is_never_there(void **state)
{
    static char servers[SIZE];

    (void)state;
    place_folder("/etc");
    place_tmpfs("/run/small");
    assert_int_equal(mount(NULL, "/run/small", NULL, MS_REMOUNT, "size=4k"), 0);
    lead(PUBLIC, "/run/small/resolv.conf");
    place_file("/run/small/resolv.conf", "");
    fill(servers, SIZE - 1);
    expect_remark(usual, servers, PUBLIC ": Input/output error; name servers are in " WHOLE);
    place_expect("/run/small/resolv.conf", "");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(servers_of_an_interface_are_written),
        PLACED(least_metric_comes_first),
        PLACED(new_servers_take_the_place_of_old_ones),
        PLACED(servers_of_interfaces_that_are_gone_are_forgotten),
        PLACED(nothing_is_touched_where_nobody_brought_any),
        PLACED(what_is_no_address_is_an_error),
        PLACED(as_many_servers_as_a_file_takes),
        PLACED(private_ones_are_not_published),
        PLACED(link_below_run_is_followed),
        PLACED(link_elsewhere_is_left_alone),
        PLACED(link_without_an_end_is_told),
        PLACED(distributions_own_file_is_left_alone),
        PLACED(over_a_file_that_cannot_be_written_ours_is_mounted),
        PLACED(what_cannot_be_written_is_told),
        PLACED(half_a_file_is_never_there),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
