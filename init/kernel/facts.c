/* facts: what this guest can do, measured for CAPABILITIES. */
#include "facts.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/kmsg_log.h"
#include "default_pool.h"
#include "modules.h"
#include "swiotlb.h"

bool facts_lists_filesystem(const char *text, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = text; (at = strstr(at, name)); at += size)
        if (at > text && at[-1] == '\t' && (at[size] == '\n' || at[size] == '\0'))
            return true;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int facts_parse_uuid(const char *text, uint8_t ret_uuid[16])
{
    uint8_t uuid[16];
    size_t at = 0;

    for (size_t i = 0; i < sizeof(uuid); i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
            return -EINVAL;
        high = hex_digit(text[at]);
        low = high < 0 ? -1 : hex_digit(text[at + 1]);
        if (low < 0)
            return -EINVAL;
        uuid[i] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    if (text[at] != '\0' && text[at] != '\n')
        return -EINVAL;
    memcpy(ret_uuid, uuid, sizeof(uuid));
    return 0;
}

static uint64_t measure_filesystems(struct module_list *list)
{
    static const struct {
        const char *filesystem;
        const char *module;
        uint64_t feature;
    } table[] = {
        {"virtiofs", "virtiofs", CAPABILITIES_VIRTIOFS},
        {"9p", "9p", CAPABILITIES_9P},
        {"overlay", "overlay", CAPABILITIES_OVERLAY},
    };
    char text[4096];
    uint64_t features = 0;
    int r;

    r = fd_read_file("/proc/filesystems", text, sizeof(text));
    if (r < 0)
        kmsg_log(LOG_WARNING, "cannot read /proc/filesystems: %s", strerror(-r));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (facts_lists_filesystem(text, table[i].filesystem) || modules_has(list, table[i].module))
            features |= table[i].feature;
    return features;
}

static uint64_t measure_swiotlb(const struct cmdline *cmdline, struct guest_capabilities *facts)
{
    uint64_t features = 0;
    int r;

    r = swiotlb_read(&facts->swiotlb_base, &facts->swiotlb_size);
    if (r < 0)
        kmsg_log(LOG_WARNING,
                 "cannot read " SWIOTLB_DIRECTORY "swiotlb_{base,size}: %s; reporting no pool",
                 strerror(-r));
    if (r > 0)
        features |= CAPABILITIES_SWIOTLB_PUBLISHED;
    else if (r == 0 && cmdline->swiotlb_forced)
        features |= default_pool_measure(&facts->swiotlb_base, &facts->swiotlb_size);
    if (cmdline->swiotlb_asked)
        features |= CAPABILITIES_SWIOTLB_ASKED;
    /* A kernel that does not know the parameter hands it on to PID 1. */
    if (getenv("hv_pci_swiotlb"))
        features |= CAPABILITIES_SWIOTLB_LEFT;
    return features;
}

/*
 * Where the kernel does not say which boot this is (no /proc), a number of PID 1's own tells boots
 * apart. GRND_INSECURE does not wait for the kernel's generator; the time makes up for what that
 * has not gathered yet.
 */
static void make_boot_id(uint8_t ret_id[16])
{
    static uint8_t made[16];
    uint64_t now[2] = {clock_now_ns(), 0};
    struct timespec real = {0};

    if (made[0] == 0) {
        (void)!getrandom(made, sizeof(made), GRND_INSECURE);
        (void)clock_gettime(CLOCK_REALTIME, &real);
        now[1] = (uint64_t)real.tv_sec * UINT64_C(1000000000) + (uint64_t)real.tv_nsec;
        for (size_t i = 0; i < sizeof(made); i++)
            made[i] ^= (uint8_t)(now[i / 8] >> (i % 8 * 8));
        made[0] |= 1u;
    }
    memcpy(ret_id, made, sizeof(made));
}

static void measure_machine(struct guest_capabilities *facts)
{
    struct sysinfo info = {0};
    cpu_set_t cpus;
    char text[64];
    int r;

    if (sysinfo(&info) == 0) /* totalram is MemTotal without a file to parse */
        facts->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    facts->page_size = (uint32_t)getauxval(AT_PAGESZ);
    CPU_ZERO(&cpus);
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        facts->cpu_count = (uint32_t)CPU_COUNT(&cpus);
    r = fd_read_line("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    if (r >= 0)
        r = facts_parse_uuid(text, facts->boot_id);
    if (r < 0) {
        kmsg_log(
            LOG_WARNING,
            "cannot read /proc/sys/kernel/random/boot_id: %s; reporting a random number instead",
            strerror(-r));
        make_boot_id(facts->boot_id);
    }
}

void facts_measure(const struct cmdline *cmdline, struct module_list *list, uint64_t started_ns,
                   struct guest_capabilities *ret)
{
    struct guest_capabilities facts = {
        .major = PROTOCOL_MAJOR,
        .minor = PROTOCOL_MINOR,
        .features = CAPABILITIES_TERMINAL,
        .init_version = GUESTLINK_VERSION,
        .started_ns = started_ns,
    };
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    struct utsname name = {0};

    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        facts.features |= CAPABILITIES_SECCOMP_USER_NOTIF;
    facts.features |= CAPABILITIES_CONNECTIONS;
    facts.features |= measure_filesystems(list);
    facts.features |= measure_swiotlb(cmdline, &facts);
    measure_machine(&facts);
    (void)uname(&name);
    memcpy(facts.kernel_release, name.release,
           strnlen(name.release, sizeof(facts.kernel_release) - 1));
    *ret = facts;
}
