/*
 * control peer: may this client use the control socket?
 */
#ifndef GUESTLINK_HOSTD_CONTROL_PEER_H
#define GUESTLINK_HOSTD_CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_PEER_NO_GROUP ((gid_t)-1)

/* The group's id, or CONTROL_PEER_NO_GROUP if @p group is NULL or there is none such. */
gid_t control_peer_find_group(const char *group);

/* True for root, for our own user, and for members of @p gid. @param fd  the connection */
bool control_peer_is_allowed(int fd, gid_t gid);

/* Opens a socket file to @p gid, if it is one. @return 0 or -errno (errno is set) */
int control_peer_widen(const char *path, gid_t gid);

#endif
