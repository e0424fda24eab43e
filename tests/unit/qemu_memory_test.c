/*
 * qemu memory: of each way to give a guest RAM, and of backends that are not RAM, a real QEMU
 * (stopped) and a real virtiofsd.
 */
#include "base/limits.h"
#include "base/program.h"
#include "descriptors.h"
#include "device_support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU   "qemu-system-x86_64"
#define OBJECT " -object memory-backend-"
#define WORDS  64u

static const struct machine {
    const char *words;
    const char *refused; /* the backend that is RAM and not shared, "": one without a name of ours;
                          * NULL: all is shared */
} machines[] = {
    {"-m 128M", ""},
    {"-m 128M" OBJECT "memfd,id=iv,size=1M,share=on -device ivshmem-plain,memdev=iv", "pc.ram"},
    {"-m 128M" OBJECT "memfd,id=idle,size=128M,share=on", "pc.ram"},
    {"-m 128M,slots=2,maxmem=1G -machine nvdimm=on" OBJECT
     "memfd,id=nv,size=128M,share=on -device nvdimm,memdev=nv",
     "pc.ram"},
    {"-m 128M -machine memory-backend=mem" OBJECT "memfd,id=mem,size=128M,share=on", NULL},
    {"-m 128M -machine memory-backend=mem" OBJECT "memfd,id=mem,size=128M", NULL},
    {"-m 128M -machine memory-backend=mem" OBJECT "ram,id=mem,size=128M,share=on", NULL},
    {"-m 128M -machine memory-backend=mem" OBJECT
     "file,id=mem,size=128M,mem-path=/dev/shm,share=on",
     NULL},
    {"-m 128M -machine memory-backend=mem" OBJECT
     "file,id=mem,size=128M,mem-path=/dev/shm,share=off" OBJECT
     "memfd,id=iv,size=1M,share=on -device ivshmem-plain,memdev=iv",
     "mem"},
    /* what is not RAM need not be shared */
    {"-m 128M -machine memory-backend=mem" OBJECT "memfd,id=mem,size=128M,share=on" OBJECT
     "ram,id=iv,size=1M -device ivshmem-plain,memdev=iv",
     NULL},
    {"-m 128M,slots=2,maxmem=1G -machine memory-backend=mem,nvdimm=on" OBJECT
     "memfd,id=mem,size=128M,share=on" OBJECT "ram,id=nv,size=128M -device nvdimm,memdev=nv",
     NULL},
    {"-m 128M,slots=2,maxmem=1G -machine memory-backend=mem" OBJECT
     "memfd,id=mem,size=128M,share=on" OBJECT "ram,id=more,size=128M -device pc-dimm,memdev=more",
     "more"},
    {"-m 128M,slots=2,maxmem=1G -machine memory-backend=mem" OBJECT
     "memfd,id=mem,size=128M,share=on" OBJECT
     "memfd,id=more,size=128M,share=on -device pc-dimm,memdev=more",
     NULL},
    {"-m 128M" OBJECT "memfd,id=a,size=64M,share=on" OBJECT
     "memfd,id=b,size=64M,share=off -numa node,memdev=a -numa node,memdev=b",
     "b"},
    {"-m 128M" OBJECT "memfd,id=a,size=64M,share=on" OBJECT
     "memfd,id=b,size=64M,share=on -numa node,memdev=a -numa node,memdev=b" OBJECT
     "ram,id=iv,size=1M -device ivshmem-plain,memdev=iv" OBJECT "ram,id=idle,size=1M",
     NULL},
};

static pid_t qemu;
static char share_path[128];

static void run_qemu(const char *words, const char *qmp)
{
    static char text[1024];
    char *argv[WORDS] = {QEMU,
                         "-S",
                         "-machine",
                         "q35",
                         "-nodefaults",
                         "-display",
                         "none",
                         "-accel",
                         "tcg",
                         "-device",
                         "pcie-root-port,id=rp1,chassis=1",
                         "-qmp",
                         (char *)(uintptr_t)qmp};
    size_t count = 13;

    (void)snprintf(text, sizeof(text), "%s", words);
    for (char *word = strtok(text, " "); word && count < WORDS - 1; word = strtok(NULL, " "))
        argv[count++] = word;
    (void)execvp(QEMU, argv);
    _exit(127);
}

static void start_qemu(struct devices *devices, const char *words)
{
    static char qmp_path[128];
    char qmp[160];

    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    (void)snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", qmp_path);
    (void)snprintf(share_path, sizeof(share_path), "%s/share", devices->directory);
    (void)mkdir(share_path, 0700);
    qemu = fork();
    assert_true(qemu >= 0);
    if (qemu == 0)
        run_qemu(words, qmp);
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    devices->vm.device_host.timeout_ms = 60000;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

static int tear_down(void **state)
{
    struct devices *devices = *state;
    unsigned downs = devices->downs;

    if (qemu > 0) {
        (void)kill(qemu, SIGKILL);
        (void)waitpid(qemu, NULL, 0);
    }
    qemu = 0;
    if (devices->host && device_host_is_up(devices->host))
        devices_wait(devices, &devices->downs, downs + 1);
    return devices_tear_down(state);
}

static void all_ram_is_shared_or_the_share_is_refused(void **state)
{
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};

    (void)state;
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        const struct machine *machine = &machines[i];
        char backend[64] = "";
        void *made = NULL;
        struct devices *devices;
        int r;

        (void)devices_set_up(&made);
        devices = made;
        start_qemu(devices, machine->words);
        r = devices_add_share(devices, &share);
        if (machine->refused && machine->refused[0])
            (void)snprintf(backend, sizeof(backend),
                           "the guest's memory backend \"%s\" is not shared", machine->refused);
        if (r != (machine->refused ? ENOTSUP : 0) || !strstr(devices->text, backend))
            fail_msg("%s: %d %s", machine->words, r, devices->text);
        (void)tear_down(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_ram_is_shared_or_the_share_is_refused)};
    char path[LIMITS_PATH];

    if (program_find(QEMU, path, sizeof(path)) != 0 || program_find_virtiofsd(NULL, path) == NULL ||
        geteuid() != 0) {
        (void)puts("it takes " QEMU ", virtiofsd and root");
        return 77;
    }
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
