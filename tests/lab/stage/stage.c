/*
 * stage: makes a distribution's kernel look like one of the three kinds that the lab knows.
 *
 * Runs as /init, does what the kernel would have done by the time it starts PID 1, and becomes the
 * program under test by execve(): same process, nothing mounted, no file open but the console. What
 * to do stands on the kernel command line, whose words without a dot the kernel passes on as
 * environment variables:
 *
 *   lab_kind=published   load the stand-in publisher with the size in hv_pci_swiotlb, consume it
 *   lab_kind=failed      consume hv_pci_swiotlb, publish nothing: the allocation failed
 *   lab_kind=old         leave hv_pci_swiotlb in the environment, as a kernel without the patch
 *   lab_exec=PATH        the program to become
 *   lab_mark=1           say when, by one byte to QEMU's debug console, right before
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAGE_MODULE     "/lab/pool.ko"
#define STAGE_POOL       "hv_pci_swiotlb"
#define STAGE_DEBUG_PORT 0xe9 /* QEMU: -device isa-debugcon */

static void stage_publish(const char *size)
{
    char parameters[64];
    int module;

    (void)snprintf(parameters, sizeof(parameters), "size=%s", size);
    module = open(STAGE_MODULE, O_RDONLY | O_CLOEXEC);
    if (module < 0 || syscall(SYS_finit_module, module, parameters, 0) < 0)
        (void)dprintf(STDERR_FILENO, "stage: cannot load %s with %s: %s; nothing is published\n",
                      STAGE_MODULE, parameters, strerror(errno));
    if (module >= 0)
        (void)close(module);
}

static void stage_play(const char *kind)
{
    const char *size = getenv(STAGE_POOL);

    if (strcmp(kind, "published") == 0 && size)
        stage_publish(size);
    if (strcmp(kind, "old") != 0)
        (void)unsetenv(STAGE_POOL);
}

static void stage_mark(void)
{
    if (ioperm(STAGE_DEBUG_PORT, 1, 1) == 0) {
        outb('!', STAGE_DEBUG_PORT);
        (void)ioperm(STAGE_DEBUG_PORT, 1, 0);
    }
}

int main(int argc, char **argv)
{
    const char *kind = getenv("lab_kind");
    const char *program = getenv("lab_exec");
    int mark = getenv("lab_mark") != NULL;
    extern char **environ;

    (void)argc;
    stage_play(kind ? kind : "old");
    if (!program)
        program = "/sbin/guestlink-init";
    argv[0] = (char *)program;
    (void)unsetenv("lab_kind");
    (void)unsetenv("lab_exec");
    (void)unsetenv("lab_mark");
    if (mark)
        stage_mark();
    (void)execve(program, argv, environ);
    (void)dprintf(STDERR_FILENO, "stage: cannot run %s: %s\n", program, strerror(errno));
    return 127;
}
