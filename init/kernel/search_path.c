/* search_path: where PID 1's programs look for programs. */
#include "search_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
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
    if (chown(folder, 0, 0) == 0 && chmod(folder, 0755) == 0)
        kmsg_log(LOG_NOTICE, "%s had owner %u and mode %04o; set to root and 0755", folder,
                 status.st_uid, status.st_mode & 07777u);
    else if (errno != EROFS) /* there nobody can put anything */
        kmsg_log(LOG_ERR,
                 "cannot protect %s (owner %u, mode %04o): %s; other users than root can put "
                 "programs there",
                 folder, status.st_uid, status.st_mode & 07777u, strerror(errno));
}

void search_path_guard(void)
{
    /* Those of SEARCH_PATH, and what they are in. */
    static const char *const folders[] = {
        "/",        "/usr",  "/usr/local", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
        "/usr/bin", "/sbin", "/bin",
    };

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        guard(folders[i]);
}
