/* program: guestlink-libvirt, started. */
#include "program.h"

#include "base/fd.h"
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int domain_program_start(sd_event *event, const char *uri, child_ended_fn ended, void *userdata,
                         struct child **ret_child, struct sink **ret_errors, int *ret_socket)
{
    char path[LIMITS_PATH];
    const char *argv[] = {program_find_own("guestlink-libvirt", path), uri, NULL};
    int sockets[2], pipe[2], r;
    struct sink *errors = NULL;
    FD near = -1;
    FD far = -1;
    FD words = -1;

    if (!argv[0])
        return -ENOENT;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        return -errno;
    near = sockets[0];
    far = sockets[1];
    if (fcntl(near, F_SETFL, O_NONBLOCK) < 0 || pipe2(pipe, O_CLOEXEC) < 0)
        return -errno;
    words = pipe[1];
    r = sink_new(event, pipe[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &errors);
    if (r == 0)
        r = child_start(event, &(struct child_spec){.argv = argv, .fds = {far, far, words, -1}},
                        ended, userdata, ret_child);
    if (r < 0) {
        (void)sink_free(errors);
        return r;
    }
    *ret_errors = errors;
    *ret_socket = fd_take(&near);
    return 0;
}
