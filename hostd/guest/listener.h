/*
 * listener: a listening socket, AF_VSOCK or Unix, and the connections that arrive on it.
 */
#ifndef GUESTLINK_HOSTD_LISTENER_H
#define GUESTLINK_HOSTD_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct listener;

/* Who connected, as the kernel says it. */
struct peer {
    bool vsock;
    uint32_t cid; /* vsock */
    uint32_t port;
};

struct listener_events {
    /* @p fd  the connection, non-blocking and close-on-exec; now the callee's */
    void (*accepted)(void *userdata, int fd, const struct peer *peer);
    /* accept(2) has to pause (no file descriptors, no memory); told once a bout */
    void (*paused)(void *userdata, int error);
};

/*
 * Listens on AF_VSOCK.
 *
 * @param cid  a local CID, or VMADDR_CID_ANY
 * @return 0 or -errno (-EADDRINUSE, -EAFNOSUPPORT: this kernel has no vsock)
 */
int listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                       const struct listener_events *events, void *userdata,
                       struct listener **ret_listener);

/*
 * Listens on a Unix socket of mode 0600. A stale socket file is replaced.
 *
 * @return 0 or -errno (-EADDRINUSE: somebody listens there; -EEXIST: something else than a socket
 *         is there; -ENAMETOOLONG)
 */
int listener_new_unix(sd_event *event, const char *path, const struct listener_events *events,
                      void *userdata, struct listener **ret_listener);

/*
 * Looks at a descriptor that somebody else made.
 *
 * @param local  it has to be a Unix socket; else one of AF_VSOCK will do, too
 * @return NULL: a listening stream socket; else what it is, a clause for a message; static
 */
const char *listener_find_problem(int fd, bool local);

/* Takes a listening socket that somebody else made; consumed, whatever happens. */
int listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                        void *userdata, struct listener **ret_listener);

/* Closes it, and removes the socket file that listener_new_unix() made. @return NULL */
struct listener *listener_free(struct listener *listener);

#endif
