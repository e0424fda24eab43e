/*
 * p9 server: one share served over one 9P connection by diod.
 */
#ifndef GUESTLINK_HOSTD_P9_SERVER_H
#define GUESTLINK_HOSTD_P9_SERVER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct p9_server;

/* @p text: exit status and last words; the server is then only good for p9_server_free(). */
typedef void (*p9_server_ended_fn)(void *userdata, const char *text);

/*
 * Starts diod on a connection.
 *
 * @param fd  the connected socket; consumed whatever happens
 * @return 0 or -errno (-ENOENT: diod is not installed; -ELIBACC: guestlink-no-pipes.so is not)
 */
int p9_server_new(sd_event *event, int fd, const char *path, bool read_only,
                  p9_server_ended_fn ended, void *userdata, struct p9_server **ret_server);

/* Ends diod, if it runs. @return NULL */
struct p9_server *p9_server_free(struct p9_server *server);

/* Lets go of it; diod serves on until its connection ends. @return NULL */
struct p9_server *p9_server_release(struct p9_server *server);

#endif
