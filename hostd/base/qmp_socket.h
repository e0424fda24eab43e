/*
 * qmp socket: connects to a VM's QMP socket, and to no other VM's.
 *
 * The socket stands in a folder that QEMU's user may write to. A QEMU that its guest took over can
 * put something else there: a link to another VM's socket, for one, which a daemon that is root
 * would then drive in its stead. Hence:
 *
 *   - on the way a symbolic link is followed only where it and its folder are root's (or this
 *     user's), and the socket is none, whoever's;
 *   - the socket has one name; it and each folder on the way is root's, or its folder's owner's, or
 *     in a folder of root's in which nobody may rename what is another's;
 *   - what is connected to is the inode that was looked at, and who listens there is that inode's
 *     owner, or root.
 *
 * VMs whose QEMUs run as one user are not kept apart by that: each may do anything to the other.
 */
#ifndef GUESTLINK_HOSTD_QMP_SOCKET_H
#define GUESTLINK_HOSTD_QMP_SOCKET_H

#include <sys/types.h>

struct qmp_socket {
    int fd;    /* connected, non-blocking; the caller's to close */
    uid_t uid; /* the socket's owner: QEMU's user */
    gid_t gid;
};

/*
 * Connects without blocking.
 *
 * @param path         absolute, or from the working directory
 * @param ret_problem  only with -EPERM: what was found, a clause for a message; static
 * @return 0; -EPERM: something there is not as above; -ENOENT, -ECONNREFUSED and the like;
 *         -ENAMETOOLONG
 */
int qmp_socket_connect(const char *path, struct qmp_socket *ret_socket, const char **ret_problem);

#endif
