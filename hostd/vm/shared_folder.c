/* shared folder: which directory of the host a share's server has. */
#include "shared_folder.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#define ADVICE                                                                                     \
    "; the guest sees the old one until the share is removed and added again (`guestlinkctl "      \
    "share remove`, then `share add`, or `reload` if the configuration has it)"

int shared_folder_look(const char *path, struct shared_folder *ret_folder)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    *ret_folder = (struct shared_folder){.device = st.st_dev, .inode = st.st_ino};
    return 0;
}

const char *shared_folder_trouble(const char *path, const struct shared_folder *served)
{
    struct shared_folder now = {0};
    int r;

    if (served->inode == 0)
        return NULL;
    r = shared_folder_look(path, &now);
    if (r == -ENOENT || r == -ENOTDIR)
        return "its folder was removed on the host" ADVICE;
    if (r == 0 && (now.device != served->device || now.inode != served->inode))
        return "its folder was removed and created again on the host, or something was mounted "
               "on it" ADVICE;
    return NULL;
}
