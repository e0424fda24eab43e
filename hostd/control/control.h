/*
 * control: the socket on which operators ask and change, io.guestlink.varlink over Varlink.
 *
 * Open to root, to the user that the daemon runs as, and to members of one group; by the socket's
 * mode and by SO_PEERCRED both.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_H
#define GUESTLINK_HOSTD_CONTROL_H

#include <systemd/sd-event.h>

struct control;
struct daemon;

/*
 * Listens.
 *
 * @param path       of the socket, made with mode 0600, or 0660 if there is such a group
 * @param group      name of the group, or NULL
 * @param listen_fd  a listening socket that systemd passed, consumed whatever happens; or -1
 * @return 0 or -errno (-EADDRINUSE: another daemon has that socket)
 */
int control_new(sd_event *event, struct daemon *daemon, const char *path, const char *group,
                int listen_fd, struct control **ret_control);

/* Stops; open calls end. @return NULL */
struct control *control_free(struct control *control);

#endif
