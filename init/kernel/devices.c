/* devices: what /dev has in addition to devtmpfs. */
#include "devices.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kmsg_log.h"

void devices_link(void)
{
    static const struct {
        const char *target, *link;
    } table[] = {
        {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
        {"/proc/kcore", "/dev/core"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (symlink(table[i].target, table[i].link) < 0 && errno != EEXIST)
            kmsg_log(LOG_WARNING, "cannot link %s: %s", table[i].link, strerror(errno));
}

void devices_open(void)
{
    static const char *const paths[] = {"/dev/fuse", "/dev/vsock", "/dev/net/tun"};
    struct stat status;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (lstat(paths[i], &status) == 0 && status.st_mode == (S_IFCHR | 0600) &&
            chmod(paths[i], 0666) < 0)
            kmsg_log(LOG_WARNING, "cannot open %s to every user: %s", paths[i], strerror(errno));
}
