/*
 * least: the least program that says to the host what guestlink-init says.
 *
 * A yardstick for tests/bench/first-frame: the same system calls in the same order as
 * guestlink-init before its first frame (mounts, modules, the files that CAPABILITIES is made of, a
 * call from a privileged port, the same 192 bytes), and nothing else: no error handling beyond
 * stopping, no log, no options, no loop.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LEAST_FRAME 192u
#define LEAST_POOL  "/sys/bus/vmbus/drivers/hv_pci/"

static char text[16384];

static uint64_t least_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char *least_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        (void)close(fd);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void least_load_modules(void)
{
    char *next = (char *)least_read("/etc/guestlink/modules");

    while (*next == '/') {
        char *end = strchr(next, '\n');
        int fd;

        next[strcspn(next, " \n")] = '\0';
        fd = open(next, O_RDONLY | O_CLOEXEC);
        (void)syscall(SYS_finit_module, fd, "", 0);
        (void)close(fd);
        if (!end)
            break;
        next = end + 1;
    }
}

static void least_put(uint8_t *frame, size_t at, uint64_t value, size_t size)
{
    memcpy(frame + at, &value, size); /* x86 is little-endian */
}

static void least_put_uuid(uint8_t *frame, size_t at, const char *from)
{
    char pair[3] = "";

    for (; from[0] && from[1] && from[0] != '\n'; from += 2) {
        if (from[0] == '-')
            from++;
        memcpy(pair, from, 2);
        frame[at++] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

/* Of a kernel that publishes no pool: its log to the end, and whether debugfs has a file. */
static void least_read_log(uint8_t *frame)
{
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    const char *found;
    char *end;
    ssize_t n;
    int context, debugfs;

    while ((n = read(fd, text, 8192)) > 0) {
        text[n] = '\0';
        found = strchr(text, ';');
        if (!found || strncmp(found, ";software IO TLB: mapped [mem ", 30) != 0)
            continue;
        least_put(frame, 32, strtoull(found + 30, &end, 0), 8);
        least_put(frame, 40, strtoull(end + 1, NULL, 0) - strtoull(found + 30, NULL, 0), 8);
    }
    (void)close(fd);
    context = fsopen("debugfs", FSOPEN_CLOEXEC);
    (void)fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    debugfs = fsmount(context, FSMOUNT_CLOEXEC, 0);
    (void)faccessat(debugfs, "swiotlb/io_tlb_transient_nslabs", F_OK, 0);
    (void)close(debugfs);
    (void)close(context);
}

static void least_measure(uint8_t *frame, bool forced)
{
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    struct sysinfo info = {0};
    struct utsname name;
    uint64_t features = 0;
    cpu_set_t cpus;

    features |= syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    features |= strstr(least_read("/proc/filesystems"), "\tvirtiofs\n") ? 2u : 0;
    least_put(frame, 32, strtoull(least_read(LEAST_POOL "swiotlb_base"), NULL, 0), 8);
    least_put(frame, 40, strtoull(least_read(LEAST_POOL "swiotlb_size"), NULL, 0), 8);
    features |= text[0] ? 16u : 0;
    if (!text[0] && forced)
        least_read_log(frame);
    least_put(frame, 24, features, 8);
    (void)sysinfo(&info);
    least_put(frame, 48, (uint64_t)info.totalram * info.mem_unit, 8);
    least_put(frame, 56, 4096, 4);
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    least_put(frame, 60, (uint64_t)CPU_COUNT(&cpus), 4);
    least_put_uuid(frame, 64, least_read("/proc/sys/kernel/random/boot_id"));
    (void)uname(&name);
    memcpy(frame + 80, name.release, strnlen(name.release, 63));
    memcpy(frame + 144, "least", 5);
}

int main(void)
{
    uint64_t started = least_now();
    struct sockaddr_vm own = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 1023};
    struct sockaddr_vm host = {.svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 50000};
    uint8_t frame[LEAST_FRAME] = "GLNK\1\0\0\0\260\0\0\0\1\0\0\0\260\0\0\0\1\0\0\0";
    bool forced;
    int fd;

    (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    (void)mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    (void)mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    (void)open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
    forced = strstr(least_read("/proc/cmdline"), ",force ") != NULL;
    least_load_modules();
    least_measure(frame, forced);

    fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)bind(fd, (struct sockaddr *)&own, sizeof(own));
    (void)connect(fd, (struct sockaddr *)&host, sizeof(host));
    least_put(frame, 176, started, 8);
    least_put(frame, 184, least_now(), 8);
    (void)write(fd, frame, sizeof(frame));
    for (;;)
        (void)pause();
}
