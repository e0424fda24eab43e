/*
 * stage: makes a distribution's kernel look like one of the four kinds that the lab knows.
 *
 * Runs as /init, does what the kernel would have done by the time it starts PID 1, and becomes the
 * program under test by execve(): same process, nothing mounted, no file open but the console. What
 * to do stands on the kernel command line, whose words without a dot the kernel passes on as
 * environment variables:
 *
 *   lab_kind=published   load the stand-in publisher, which publishes the kernel's default pool as
 *                        WSL's kernel publishes its own; consume hv_pci_swiotlb
 *   lab_kind=failed      consume hv_pci_swiotlb, publish nothing: the allocation failed
 *   lab_kind=old         leave hv_pci_swiotlb in the environment, as a kernel without the patch
 *   lab_kind=stock       likewise, where the command line forces bouncing (lab/run.py)
 *   lab_exec=PATH        the program to become
 *
 *   lab_builtin=1        load the image's modules first and take its list away, as if the kernel
 *                        had those drivers built in
 *
 *   lab_calls=N          answer ENOSYS to each system call from number N on, as a kernel does that
 *                        is older than those (from 428 on: Linux 5.2)
 *
 *   lab_mark=1           say when, right before, to QEMU's debug console: CLOCK_BOOTTIME and
 *                        CLOCK_REALTIME, nanoseconds, 8 bytes each, little-endian
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STAGE_MODULE     "/lab/pool.ko"
#define STAGE_LIST       "/etc/guestlink/modules"
#define STAGE_LIST_SIZE  16384u
#define STAGE_LOG_SIZE   262144u
#define STAGE_READ_ALL   3 /* SYSLOG_ACTION_READ_ALL of syslog(2) */
#define STAGE_POOL       "hv_pci_swiotlb"
#define STAGE_DEBUG_PORT 0xe9 /* QEMU: -device isa-debugcon */

static void stage_load(const char *path, const char *parameters)
{
    int module = open(path, O_RDONLY | O_CLOEXEC);

    if (module < 0 || syscall(SYS_finit_module, module, parameters, 0) < 0)
        (void)dprintf(STDERR_FILENO, "stage: cannot load %s with \"%s\": %s; going on without it\n",
                      path, parameters, strerror(errno));
    if (module >= 0)
        (void)close(module);
}

static void stage_publish(void)
{
    static char log[STAGE_LOG_SIZE];
    char parameters[64], *found = NULL;
    unsigned long base = 0, end = 0;

    if (klogctl(STAGE_READ_ALL, log, sizeof(log) - 1) > 0)
        found = strstr(log, "software IO TLB: mapped [mem 0x");
    if (!found || sscanf(found, "software IO TLB: mapped [mem %lx-%lx]", &base, &end) != 2) {
        (void)dprintf(STDERR_FILENO, "stage: the kernel's log has no pool to publish\n");
        return;
    }
    (void)snprintf(parameters, sizeof(parameters), "base=0x%lx size=%lu", base, end - base);
    stage_load(STAGE_MODULE, parameters);
}

static void stage_build_in(void)
{
    static char text[STAGE_LIST_SIZE];
    int list = open(STAGE_LIST, O_RDONLY | O_CLOEXEC);
    char *rest = text;

    if (list < 0 || read(list, text, sizeof(text) - 1) < 0)
        (void)dprintf(STDERR_FILENO, "stage: cannot read %s: %s; nothing is built in\n", STAGE_LIST,
                      strerror(errno));
    if (list >= 0)
        (void)close(list);
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        line[strcspn(line, " ")] = '\0';
        if (line[0] == '/')
            stage_load(line, "");
    }
    (void)unlink(STAGE_LIST);
}

static void stage_play(const char *kind)
{
    if (strcmp(kind, "published") == 0)
        stage_publish();
    if (strcmp(kind, "published") == 0 || strcmp(kind, "failed") == 0)
        (void)unsetenv(STAGE_POOL);
}

static void stage_forget_calls(unsigned first)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        (void)dprintf(STDERR_FILENO, "stage: seccomp: %s; all system calls are there\n",
                      strerror(errno));
}

static void stage_say_clock(clockid_t clock)
{
    struct timespec now = {0};
    uint64_t ns;

    (void)clock_gettime(clock, &now);
    ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (unsigned shift = 0; shift < 64; shift += 8)
        outb((unsigned char)(ns >> shift), STAGE_DEBUG_PORT);
}

static void stage_mark(void)
{
    if (ioperm(STAGE_DEBUG_PORT, 1, 1) == 0) {
        stage_say_clock(CLOCK_BOOTTIME);
        stage_say_clock(CLOCK_REALTIME);
        (void)ioperm(STAGE_DEBUG_PORT, 1, 0);
    }
}

int main(int argc, char **argv)
{
    const char *kind = getenv("lab_kind");
    const char *program = getenv("lab_exec");
    const char *calls = getenv("lab_calls");
    int mark = getenv("lab_mark") != NULL;
    extern char **environ;

    (void)argc;
    stage_play(kind ? kind : "old");
    if (getenv("lab_builtin"))
        stage_build_in();
    if (!program)
        program = "/sbin/guestlink-init";
    argv[0] = (char *)program;
    (void)unsetenv("lab_kind");
    (void)unsetenv("lab_exec");
    (void)unsetenv("lab_builtin");
    (void)unsetenv("lab_calls");
    (void)unsetenv("lab_mark");
    if (calls)
        stage_forget_calls((unsigned)strtoul(calls, NULL, 10));
    if (mark)
        stage_mark();
    (void)execve(program, argv, environ);
    (void)dprintf(STDERR_FILENO, "stage: cannot run %s: %s\n", program, strerror(errno));
    return 127;
}
