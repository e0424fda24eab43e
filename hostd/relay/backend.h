/*
 * backend: the device's process as a child of the relay, and the connection to it.
 */
#ifndef GUESTLINK_HOSTD_RELAY_BACKEND_H
#define GUESTLINK_HOSTD_RELAY_BACKEND_H

#include "../base/jail.h"
#include "kind.h"

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

struct backend_spec {
    const struct kind *kind;
    const char *socket;      /* path for its listening socket, there for a moment */
    char *const *argv;       /* NULL-terminated; argv[0] is a path */
    const struct jail *jail; /* where it runs, or NULL: it makes its own sandbox */
    bool stubborn;           /* it does not heed SIGTERM */
};

/* Starts one and connects to it. @return 0 or -errno */
int backend_start(const struct backend_spec *spec, struct backend *ret_backend);

/*
 * Ends it with all of its processes, and returns when the last is gone: from then on nobody works
 * on the guest's memory. The caller has no other children.
 *
 * @return its wait status (waitpid(2))
 */
int backend_end(struct backend *backend);

#endif
