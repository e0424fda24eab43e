/* facts: what is reported of a kernel, whose files are the test's (CMakeLists.txt). */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/kernel/default_pool.h"
#include "init/kernel/facts.h"
#include "init/kernel/swiotlb.h"
#include "kmsg_played.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <cmocka.h>

#define BOOT_ID "00112233-4455-6677-8899-aabbccddeeff\n"
#define ALWAYS  (CAPABILITIES_TERMINAL | CAPABILITIES_CONNECTIONS)

static struct module_list list;
static struct cmdline cmdline;
static struct guest_capabilities facts;

static const char *filesystems, *boot_id; /* NULL: cannot be read */
static int pool;                          /* what swiotlb_read() returns */
static bool has_seccomp;

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    assert_string_equal(path, "/proc/filesystems");
    buffer[0] = '\0';
    return filesystems ? snprintf(buffer, capacity, "%s", filesystems) : -EIO;
}

int __wrap_fd_read_line(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_line(const char *path, char *buffer, size_t capacity)
{
    assert_string_equal(path, "/proc/sys/kernel/random/boot_id");
    buffer[0] = '\0';
    return boot_id ? snprintf(buffer, capacity, "%s", boot_id) : -ENOENT;
}

int __wrap_swiotlb_read(uint64_t *ret_base, uint64_t *ret_size);
int __wrap_swiotlb_read(uint64_t *ret_base, uint64_t *ret_size)
{
    if (pool > 0) {
        *ret_base = 0x1000;
        *ret_size = 0x2000;
    }
    return pool;
}

uint64_t __wrap_default_pool_measure(uint64_t *ret_base, uint64_t *ret_size);
uint64_t __wrap_default_pool_measure(uint64_t *ret_base, uint64_t *ret_size)
{
    *ret_base = 0x3000;
    *ret_size = 0x4000;
    return CAPABILITIES_SWIOTLB_DEFAULT;
}

/* Of all calls, seccomp's alone is made by its number. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    (void)number;
    errno = EOPNOTSUPP;
    return has_seccomp ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    memset(&list, 0, sizeof(list));
    memset(&cmdline, 0, sizeof(cmdline));
    filesystems = "nodev\tsysfs\n";
    boot_id = BOOT_ID;
    pool = 0;
    has_seccomp = false;
    kmsg_played[0] = '\0';
    (void)unsetenv("hv_pci_swiotlb");
    return 0;
}

static uint64_t measure(void)
{
    memset(&facts, 0xff, sizeof(facts));
    facts_measure(&cmdline, &list, 42, &facts);
    return facts.features;
}

static void the_machine_is_this_one(void **state)
{
    static const uint8_t id[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct sysinfo info;
    struct utsname name;
    cpu_set_t cpus;

    (void)state;
    assert_int_equal(measure(), ALWAYS);
    assert_int_equal(sysinfo(&info), 0);
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    assert_int_equal(facts.memory_bytes, (uint64_t)info.totalram * info.mem_unit);
    assert_int_equal(facts.cpu_count, CPU_COUNT(&cpus));
    assert_string_equal(facts.kernel_release, name.release);
    assert_memory_equal(facts.boot_id, id, sizeof(id));
    assert_int_equal(facts.swiotlb_base, 0);
    assert_int_equal(facts.swiotlb_size, 0);
    kmsg_expect("");
    has_seccomp = true;
    assert_int_equal(measure(), ALWAYS | CAPABILITIES_SECCOMP_USER_NOTIF);
}

/* Built in, or among the image's modules. */
static void each_filesystem_is_a_feature(void **state)
{
    static const struct {
        const char *name;
        uint64_t feature;
    } table[] = {{"virtiofs", CAPABILITIES_VIRTIOFS},
                 {"9p", CAPABILITIES_9P},
                 {"overlay", CAPABILITIES_OVERLAY}};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        (void)set_up(NULL);
        (void)snprintf(text, sizeof(text), "nodev\tsysfs\nnodev\t%s\n", table[i].name);
        filesystems = text;
        assert_int_equal(measure(), ALWAYS | table[i].feature);
        filesystems = "nodev\tsysfs\n";
        /* Of a module's file it is only looked at whether it can be read. */
        list.modules[0] = (struct module){.path = "/proc/self/status", .name = "other"};
        list.modules[0].wanted = true;
        list.count = 1;
        assert_int_equal(measure(), ALWAYS);
        (void)snprintf(list.modules[0].name, sizeof(list.modules[0].name), "%s", table[i].name);
        assert_int_equal(measure(), ALWAYS | table[i].feature);
        list.modules[0].failed = true;
        assert_int_equal(measure(), ALWAYS);
    }
    kmsg_expect("");
    filesystems = NULL;
    assert_int_equal(measure(), ALWAYS);
    kmsg_expect("4 cannot read /proc/filesystems: Input/output error\n");
}

static void a_pool_is_published_or_the_default(void **state)
{
    (void)state;
    pool = 1;
    cmdline.swiotlb_forced = true; /* the published one is it */
    assert_int_equal(measure(), ALWAYS | CAPABILITIES_SWIOTLB_PUBLISHED);
    assert_int_equal(facts.swiotlb_base, 0x1000);
    assert_int_equal(facts.swiotlb_size, 0x2000);
    pool = 0;
    assert_int_equal(measure(), ALWAYS | CAPABILITIES_SWIOTLB_DEFAULT);
    assert_int_equal(facts.swiotlb_base, 0x3000);
    assert_int_equal(facts.swiotlb_size, 0x4000);
    cmdline.swiotlb_forced = false;
    assert_int_equal(measure(), ALWAYS);
    assert_int_equal(facts.swiotlb_base, 0);
    kmsg_expect("");
    cmdline.swiotlb_forced = true;
    pool = -EINVAL; /* published, but not to be read: no other one takes its place */
    assert_int_equal(measure(), ALWAYS);
    assert_int_equal(facts.swiotlb_base, 0);
    kmsg_expect("4 cannot read /sys/bus/vmbus/drivers/hv_pci/swiotlb_{base,size}: Invalid "
                "argument; reporting no pool\n");
}

static void what_was_asked_of_the_kernel_is_told(void **state)
{
    (void)state;
    cmdline.swiotlb_asked = true;
    assert_int_equal(measure(), ALWAYS | CAPABILITIES_SWIOTLB_ASKED);
    cmdline.swiotlb_asked = false;
    assert_int_equal(setenv("hv_pci_swiotlb", "64M", 1), 0); /* it did not know that */
    assert_int_equal(measure(), ALWAYS | CAPABILITIES_SWIOTLB_LEFT);
    assert_int_equal(unsetenv("hv_pci_swiotlb"), 0);
}

static void without_a_boot_id_there_is_one_for_this_boot(void **state)
{
    static const uint8_t none[16];
    uint8_t first[16];

    (void)state;
    boot_id = NULL;
    (void)measure();
    kmsg_expect("4 cannot read /proc/sys/kernel/random/boot_id: No such file or directory; "
                "reporting a random number instead\n");
    memcpy(first, facts.boot_id, sizeof(first));
    assert_memory_not_equal(first, none, sizeof(none));
    boot_id = "nonsense\n";
    (void)measure();
    kmsg_expect("4 cannot read /proc/sys/kernel/random/boot_id: Invalid argument; reporting a "
                "random number instead\n");
    assert_memory_equal(facts.boot_id, first, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_machine_is_this_one, set_up),
        cmocka_unit_test_setup(each_filesystem_is_a_feature, set_up),
        cmocka_unit_test_setup(a_pool_is_published_or_the_default, set_up),
        cmocka_unit_test_setup(what_was_asked_of_the_kernel_is_told, set_up),
        cmocka_unit_test_setup(without_a_boot_id_there_is_one_for_this_boot, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
