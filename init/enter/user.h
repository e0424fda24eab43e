/*
 * user: whom a command runs as, by the names that its root knows.
 */
#ifndef GUESTLINK_ENTER_USER_H
#define GUESTLINK_ENTER_USER_H

/*
 * Becomes a user, with that one's groups, HOME, USER and LOGNAME. Standard streams that are pipes
 * or a pseudo-terminal belong to the user then. /etc/passwd and /etc/group are those of this
 * process' root.
 *
 * @param text  "NAME", "NAME:GROUP", "UID", "UID:GID", or one of each
 * @return 0; -ENOENT: there is no such user or group; -errno
 */
int user_become(const char *text);

#endif
