/* default_pool_measure(): what is reported of the kernel's own pool, and what is logged where there
 * is none. /dev/kmsg is a pipe that gives a record a read (place.h); debugfs is a folder. */
#include "descriptors.h"
#include "init/kernel/default_pool.h"
#include "kmsg_played.h"
#include "place.h"
#include "protocol/capabilities.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST  "5,0,0,-;Linux version 6.1.0\n"
#define MAPPED "6,271,639945,-;software IO TLB: mapped [mem 0x1b000000-0x1f000000] (64MB)\n"
#define TORN   "6,300,700000,-;software IO TLB: tearing down default memory pool\n"
#define ODD    "6,300,700000,-;software IO TLB: mapped where nobody can read it\n"

static int kernel = -1;
static const char *fails; /* a step of mounting debugfs */

int __wrap_fsopen(const char *type, unsigned flags);
int __wrap_fsopen(const char *type, unsigned flags)
{
    assert_string_equal(type, "debugfs");
    assert_int_equal(flags, FSOPEN_CLOEXEC);
    if (fails && strcmp(fails, "fsopen") == 0)
        return -1;
    return open("/", O_PATH | O_CLOEXEC);
}

int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int extra);
int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int extra)
{
    assert_true(fd >= 0 && !key && !value && extra == 0);
    assert_int_equal(command, FSCONFIG_CMD_CREATE);
    return fails && strcmp(fails, "fsconfig") == 0 ? -1 : 0;
}

int __wrap_fsmount(int fd, unsigned flags, unsigned attributes);
int __wrap_fsmount(int fd, unsigned flags, unsigned attributes)
{
    assert_true(fd >= 0);
    assert_int_equal(flags, FSMOUNT_CLOEXEC);
    assert_int_equal(attributes, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (fails && strcmp(fails, "fsmount") == 0)
        return -1;
    return open("/debug", O_PATH | O_CLOEXEC);
}

static int interruptions[3]; /* errors of the first reads; 0: no more */

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof(interruptions) / sizeof(interruptions[0]); i++)
        if (interruptions[i]) {
            errno = interruptions[i];
            interruptions[i] = 0;
            return -1;
        }
    return __real_read(fd, bytes, size);
}

static int begin(void **state)
{
    (void)state;
    memset(interruptions, 0, sizeof(interruptions));
    fails = NULL;
    kmsg_played[0] = '\0';
    place_folder("/dev");
    place_folder("/debug");
    place_folder("/debug/swiotlb");
    assert_int_equal(mkfifo("/dev/kmsg", 0600), 0);
    kernel = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fcntl(kernel, F_SETFL, O_NONBLOCK | O_DIRECT) < 0; /* a write is a read */
}

static int finish(void **state)
{
    (void)state;
    (void)close(kernel);
    place_clear();
    return 0;
}

static void log_line(const char *record)
{
    assert_int_equal(write(kernel, record, strlen(record)), strlen(record));
}

static void expect(uint64_t features, uint64_t base, uint64_t size)
{
    uint64_t found_base = 1, found_size = 1;

    assert_int_equal(default_pool_measure(&found_base, &found_size), features);
    assert_int_equal(found_base, base);
    assert_int_equal(found_size, size);
}

static void pool_is_reported(void **state)
{
    (void)state;
    log_line(FIRST);
    log_line(MAPPED);
    expect(CAPABILITIES_SWIOTLB_DEFAULT, 0x1b000000, 0x4000000);
    kmsg_expect("");
}

static void pool_that_grows_is_reported_so(void **state)
{
    static const char *const steps[] = {NULL, "fsopen", "fsconfig", "fsmount"};

    (void)state;
    place_file("/debug/swiotlb/io_tlb_transient_nslabs", "0\n");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        fails = steps[i];
        log_line(FIRST);
        log_line(MAPPED);
        expect(CAPABILITIES_SWIOTLB_DEFAULT | (fails ? 0 : CAPABILITIES_SWIOTLB_DYNAMIC),
               0x1b000000, 0x4000000);
    }
}

#define NONE "4 swiotlb: reporting no pool to the host: "

static void reason_for_none_is_logged(void **state)
{
    static const struct {
        const char *records[2], *log;
    } rows[] = {
        {{FIRST, TORN}, NONE "the kernel tore its pool down\n"},
        {{FIRST, ODD},
         NONE "guestlink-init cannot find the pool's address in this kernel's log (grep the log "
              "for \"software IO TLB\")\n"},
        {{"5,12,0,-;x86/PAT\n", "5,13,0,-;other\n"},
         NONE "the beginning of the kernel's log, which has the pool's address, was overwritten; "
              "set log_buf_len= on the kernel command line to a larger size\n"},
        {{FIRST, "5,13,0,-;other\n"},
         NONE "the kernel's log does not have the pool's address; on x86, add iommu=soft to the "
              "kernel command line\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_line(rows[i].records[0]);
        log_line(rows[i].records[1]);
        expect(0, 0, 0);
        kmsg_expect(rows[i].log);
    }
}

/* By a signal, or as records were overwritten meanwhile. */
static void reads_that_are_interrupted_are_tried_again(void **state)
{
    (void)state;
    interruptions[0] = EINTR;
    interruptions[1] = EPIPE;
    log_line(FIRST);
    log_line(MAPPED);
    expect(CAPABILITIES_SWIOTLB_DEFAULT, 0x1b000000, 0x4000000);
    interruptions[0] = EIO;
    expect(0, 0, 0);
    kmsg_expect("4 cannot read /dev/kmsg: Input/output error; reporting no SWIOTLB pool to the "
                "host\n");
}

static void log_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    assert_int_equal(unlink("/dev/kmsg"), 0);
    expect(0, 0, 0);
    kmsg_expect("4 cannot read /dev/kmsg: No such file or directory; reporting no SWIOTLB pool to "
                "the host\n");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(pool_is_reported),
        PLACED(pool_that_grows_is_reported_so),
        PLACED(reason_for_none_is_logged),
        PLACED(reads_that_are_interrupted_are_tried_again),
        PLACED(log_that_cannot_be_read_is_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
