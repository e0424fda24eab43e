/*
 * backend: a virtiofsd as a child of the relay, and the connection to it.
 */
#ifndef GUESTLINK_HOSTD_RELAY_BACKEND_H
#define GUESTLINK_HOSTD_RELAY_BACKEND_H

#include "../base/jail.h"

#include <stdbool.h>
#include <sys/types.h>

struct backend {
    pid_t pid;
    int pidfd;
    int fd; /* connected */
};

#define BACKEND_NULL                                                                               \
    (struct backend)                                                                               \
    {                                                                                              \
        .pid = -1, .pidfd = -1, .fd = -1                                                           \
    }

/*
 * Starts a virtiofsd and connects to it.
 *
 * @param socket  path for its listening socket, which it finds as descriptor 3; unlinked at once
 * @param argv    NULL-terminated; argv[0] is a path
 * @param jail    where it runs, or NULL: it makes a sandbox of its own
 * @param stubborn  it does not heed SIGTERM
 * @return 0 or -errno
 */
int backend_start(const char *socket, char *const argv[], const struct jail *jail, bool stubborn,
                  struct backend *ret_backend);

/*
 * Ends it with all of its processes, and returns when the last is gone: from then on nobody works
 * on the guest's memory. The caller has no other children.
 *
 * @return its wait status (waitpid(2))
 */
int backend_end(struct backend *backend);

#endif
