/*
 * listener: a listening socket, AF_VSOCK or Unix, and the connections that arrive on it.
 *
 * A socket whose connections cannot be accepted because there are no file descriptors would be
 * readable forever; it is left alone for a while instead of being asked in a loop.
 */
#include "listener.h"

#include "base/clock.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

struct listener {
    sd_event *event;
    int fd;
    sd_event_source *source;
    sd_event_source *resume;
    const struct listener_events *events;
    void *userdata;
    char *path; /* of the socket file that we made, else NULL */
    struct stat made;
    bool trouble; /* told already */
};

static int on_resume(sd_event_source *source, uint64_t now_us, void *userdata)
{
    struct listener *listener = userdata;

    (void)source;
    (void)now_us;
    return sd_event_source_set_enabled(listener->source, SD_EVENT_ON);
}

static void pause_accepting(struct listener *listener, int error)
{
    if (!listener->trouble)
        listener->events->paused(listener->userdata, error);
    listener->trouble = true;
    if (clock_arm(listener->event, &listener->resume, LIMITS_ACCEPT_PAUSE_MS, on_resume,
                  listener) >= 0)
        clock_disarm(listener->source);
}

static struct peer peer_of(const struct sockaddr_storage *address)
{
    struct sockaddr_vm vm;

    if (address->ss_family != AF_VSOCK)
        return (struct peer){.vsock = false};
    memcpy(&vm, address, sizeof(vm));
    return (struct peer){.vsock = true, .cid = vm.svm_cid, .port = vm.svm_port};
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct listener *listener = userdata;

    (void)revents;
    for (unsigned i = 0; i < LIMITS_ACCEPTS_PER_WAKEUP; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        struct peer peer;
        int connected;

        connected = accept4(fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connected < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(listener, errno);
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            if (errno == EAGAIN)
                return 0; /* none is left: the next one wakes us */
            break;
        }
        listener->trouble = false;
        peer = peer_of(&address);
        listener->events->accepted(listener->userdata, connected, &peer);
    }
    /* those that are left wake us again, after the others' turn; see watch() in connection.c */
    return sd_event_source_set_io_events(source, EPOLLIN | (uint32_t)EPOLLET);
}

/* @return a socket's option that is a number; -1 without one */
static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

const char *listener_find_problem(int fd, bool local)
{
    int family = option_of(fd, SO_DOMAIN), type = option_of(fd, SO_TYPE);

    if (fcntl(fd, F_GETFD) < 0)
        return "not open";
    if (family < 0)
        return "not a socket";
    if (family != AF_UNIX && family != AF_VSOCK)
        return "a network socket, which any program on the host can reach";
    if (local && family != AF_UNIX)
        return "an AF_VSOCK socket, which guests can reach";
    if (type != SOCK_STREAM)
        return type == SOCK_DGRAM ? "a datagram socket (ListenDatagram=)"
                                  : "a sequential-packet socket (ListenSequentialPacket=)";
    if (option_of(fd, SO_ACCEPTCONN) != 1)
        return "not listening (a connection, from Accept=yes?)";
    return NULL;
}

int listener_consume_fd(sd_event *event, int fd, const struct listener_events *events,
                        void *userdata, struct listener **ret_listener)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int flags = fcntl(fd, F_GETFL);
    int r;

    /* one of systemd's may block, and the loop must not */
    if (!listener || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        r = listener ? -EBADF : -ENOMEM;
        (void)close(fd);
        free(listener);
        return r;
    }
    *listener = (struct listener){
        .event = sd_event_ref(event), .fd = fd, .events = events, .userdata = userdata};
    r = sd_event_add_io(event, &listener->source, fd, EPOLLIN | (uint32_t)EPOLLET, on_readable,
                        listener);
    if (r < 0) {
        (void)listener_free(listener);
        return r;
    }
    *ret_listener = listener;
    return 0;
}

int listener_new_vsock(sd_event *event, uint32_t cid, uint32_t port,
                       const struct listener_events *events, void *userdata,
                       struct listener **ret_listener)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, LIMITS_BACKLOG) < 0) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    return listener_consume_fd(event, fd, events, userdata, ret_listener);
}

/*
 * Makes room for a socket at @p address: removes a socket file that nobody listens on.
 *
 * @return 0; -EADDRINUSE, -EEXIST or another -errno
 */
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    int fd, r;

    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    r = r < 0 ? errno : 0;
    (void)close(fd);
    /* EAGAIN: somebody listens and has a full queue */
    if (r != ECONNREFUSED)
        return r == 0 || r == EAGAIN ? -EADDRINUSE : -r;
    return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_unix(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old;
    int r;

    if (fd < 0)
        return -errno;
    old = umask(0177);
    r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    (void)umask(old);
    if (r == 0 && listen(fd, LIMITS_BACKLOG) < 0)
        r = -errno;
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    return fd;
}

int listener_new_unix(sd_event *event, const char *path, const struct listener_events *events,
                      void *userdata, struct listener **ret_listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct listener *listener = NULL;
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    r = remove_stale(&address);
    if (r < 0)
        return r;
    fd = bind_unix(&address);
    if (fd < 0)
        return fd;
    r = listener_consume_fd(event, fd, events, userdata, &listener);
    if (r < 0)
        return r;
    listener->path = strdup(path);
    if (!listener->path || lstat(path, &listener->made) < 0) {
        (void)listener_free(listener);
        return -ENOMEM;
    }
    *ret_listener = listener;
    return 0;
}

/* Only our own file goes: a successor may have put its own in its place. */
static void remove_file(const struct listener *listener)
{
    struct stat st;

    if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->made.st_dev &&
        st.st_ino == listener->made.st_ino)
        (void)unlink(listener->path);
}

struct listener *listener_free(struct listener *listener)
{
    if (!listener)
        return NULL;
    remove_file(listener);
    (void)sd_event_source_disable_unref(listener->source);
    (void)sd_event_source_disable_unref(listener->resume);
    (void)close(listener->fd);
    (void)sd_event_unref(listener->event);
    free(listener->path);
    free(listener);
    return NULL;
}
