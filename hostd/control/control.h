/*
 * control: the socket on which operators ask and change, io.guestlink.varlink over Varlink.
 *
 * Open to root, to the user that the daemon runs as, and to members of one group; by the socket's
 * mode and by SO_PEERCRED both.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_H
#define GUESTLINK_HOSTD_CONTROL_H

#include "config/config.h"

struct control;
struct fleet;

/*
 * Reads the configuration file again and brings everything in line with it.
 *
 * @param on_warning  told of each warning, in addition to the log; on_error: of what refuses the
 *                    file; both may be NULL
 * @return 0; 1: the file is wrong, and nothing changed; or -errno
 */
typedef int (*control_reload_fn)(void *userdata, config_remark_fn on_warning,
                                 config_remark_fn on_error, void *remark_userdata);

/*
 * Listens.
 *
 * @param fleet      outlives it
 * @param path       of the socket, made with mode 0600, or 0660 if there is such a group
 * @param group      name of the group, or NULL
 * @param listen_fd  a listening socket that systemd passed, consumed whatever happens; or -1
 * @param reload_vms called with @p userdata for the method Reload
 * @return 0 or -errno (-EADDRINUSE: another daemon has that socket)
 */
int control_new(struct fleet *fleet, const char *path, const char *group, int listen_fd,
                control_reload_fn reload_vms, void *userdata, struct control **ret_control);

/* Stops; open calls end. @return NULL */
struct control *control_free(struct control *control);

#endif
