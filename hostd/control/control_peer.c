/* control peer: credentials as the kernel noted them at connect(2). */
#include "control_peer.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* A process may be in 65536 groups (NGROUPS_MAX); who is in more than this asks as somebody else.
 */
#define GROUPS 1024u

gid_t control_peer_find_group(const char *group)
{
    const struct group *entry = group == NULL ? NULL : getgrnam(group);

    return entry == NULL ? CONTROL_PEER_NO_GROUP : entry->gr_gid;
}

bool control_peer_is_allowed(int fd, gid_t gid)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    gid_t groups[GROUPS];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return false;
    if (credentials.uid == 0 || credentials.uid == geteuid())
        return true;
    if (gid == CONTROL_PEER_NO_GROUP)
        return false;
    if (credentials.gid == gid)
        return true;
    size = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == gid)
            return true;
    return false;
}

int control_peer_widen(const char *path, gid_t gid)
{
    if (gid == CONTROL_PEER_NO_GROUP)
        return 0;
    /* The group is set before the mode is widened to it. */
    if (chown(path, (uid_t)-1, gid) < 0 || chmod(path, 0660) < 0)
        return -errno;
    return 0;
}
