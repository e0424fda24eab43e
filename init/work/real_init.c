/* real_init: the init of the real root, when it is to end the machine. */
#include "real_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "protocol/request.h"

__attribute__((noreturn)) static void run(const char *name)
{
    static const char *const folders[] = {"/sbin", "/usr/sbin", "/bin", "/usr/bin"};
    char path[64], *const argv[] = {(char *)name, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folders[i], name);
        (void)execv(path, argv);
    }
    _exit(127);
}

void real_init_tell(const void *argument, struct report *report)
{
    static const char *const names[] = {
        [REQUEST_POWER_OFF] = "poweroff", [REQUEST_REBOOT] = "reboot", [REQUEST_HALT] = "halt"};
    const char *name = names[*(const uint16_t *)argument];
    int status = 0;
    pid_t pid;

    if (access("/run/systemd/system", F_OK) == 0) /* sd_booted(3) */
        return;
    pid = fork();
    if (pid == 0)
        run(name);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        (void)report_fail(report, errno, "%s: cannot run it: %s", name, strerror(errno));
    else if (status != 0)
        (void)report_fail(report, EIO, "%s: the real root's own failed (wait status 0x%x)", name,
                          (unsigned)status);
}
