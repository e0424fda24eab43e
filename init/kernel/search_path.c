/* search_path: where PID 1's programs look for programs. */
#include "search_path.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kmsg_log.h"

static bool is_safe(const struct stat *status)
{
    return status->st_uid == 0 && (status->st_mode & S_IWOTH) == 0 &&
           ((status->st_mode & S_IWGRP) == 0 || status->st_gid == 0);
}

static void guard(const char *folder)
{
    struct stat status;

    if (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode) || is_safe(&status))
        return;
    if (chown(folder, 0, 0) < 0 || chmod(folder, 0755) < 0)
        kmsg_log(LOG_ERR,
                 "cannot protect %s (owner %u, mode %04o): %s; other users than root can put "
                 "programs there",
                 folder, status.st_uid, status.st_mode & 07777u, strerror(errno));
    else
        kmsg_log(LOG_NOTICE, "%s had owner %u and mode %04o; set to root and 0755", folder,
                 status.st_uid, status.st_mode & 07777u);
}

void search_path_guard(void)
{
    char path[] = SEARCH_PATH;

    guard("/");
    /* Each `/` but a folder's first ends one that the folder is in; each `:` ends the folder. */
    for (char *folder = path; folder;) {
        char *next = strchr(folder, ':');

        if (next)
            *next++ = '\0';
        for (char *end = strchr(folder + 1, '/'); end; end = strchr(end + 1, '/')) {
            *end = '\0';
            guard(folder);
            *end = '/';
        }
        guard(folder);
        folder = next;
    }
}
