/* device_server: the process that serves one device to QEMU. */
#include "device_server.h"

#include "base/child.h"
#include "base/fd.h"
#include "base/scope.h"
#include "base/sink.h"
#include "device_server_files.h"
#include "device_server_words.h"
#include "virtiofsd_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASST_PLACE "/tmp"

/* Those of a guard, and the relay's. */
#define GUARDED_WORDS 18u
struct device_server {
    struct device_server_files files;
    struct child *child;
    struct sink *sink;
    struct scope *scope;
    int gate[2];            /* holds the child back until it has its scope; -1 when it was let go */
    sd_event_source *watch; /* of the status' folder */
    struct device_server_events events;
    const char *program; /* for messages */
    void *userdata;
    char text[DEVICE_SERVER_TEXT_SIZE];
};

static const char *describe(struct device_server *server, const char *end)
{
    char words[SINK_LAST_WORDS + 1];

    if (server->sink)
        sink_drain(server->sink);
    (void)sink_last_words(server->sink, words, sizeof(words));
    (void)snprintf(server->text, sizeof(server->text), "%s: %s; last output: %s", server->program,
                   end, words[0] ? words : "none");
    return server->text;
}

const char *device_server_describe(struct device_server *server)
{
    char end_text[CHILD_END_SIZE] = "still running";
    struct child_end end;

    if (server->child && child_has_ended(server->child, &end)) {
        if (!end.known && !end.never_began)
            device_server_files_recall_end(&server->files, &end);
        (void)child_end_describe(&end, end_text);
    }
    return describe(server, end_text);
}

static void on_child_ended(void *userdata, const struct child_end *end)
{
    struct device_server *server = userdata;
    char text[DEVICE_SERVER_TEXT_SIZE]; /* the callee may free what the other one stands in */

    (void)end;
    (void)snprintf(text, sizeof(text), "%s", device_server_describe(server));
    server->events.ended(server->userdata, text);
}

/* @param events  NULL: none is of interest */
static int new_named(const char *directory, const char *name,
                     const struct device_server_events *events, void *userdata,
                     struct device_server **ret_server)
{
    struct device_server *server;
    struct device_server_files files;
    int r = device_server_files_name(directory, name, &files);

    if (r < 0)
        return r;
    server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    server->files = files;
    server->gate[0] = server->gate[1] = -1;
    if (events)
        server->events = *events;
    server->program = strncmp(name, DEVICE_SERVER_PASST, sizeof(DEVICE_SERVER_PASST) - 1) == 0
                          ? "passt"
                          : "virtiofsd";
    server->userdata = userdata;
    *ret_server = server;
    return 0;
}

/* @return the end of the log for virtiofsd's stderr, or -errno */
static int open_log(sd_event *event, struct device_server *server, bool make)
{
    FD writer = -1;
    int reader, r;

    if (make && mkfifo(server->files.log, 0600) < 0)
        return -errno;
    reader = open(server->files.log, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (reader < 0)
        return -errno;
    /* Both ends in one: without a reader it is no SIGPIPE, and full it does not block. */
    writer = open(server->files.log, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (writer < 0) {
        r = -errno;
        (void)close(reader);
        return r;
    }
    r = sink_new(event, reader, SINK_KEEP_LAST, SINK_LAST_WORDS, &server->sink);
    return r < 0 ? r : fd_take(&writer);
}

static bool is_about(const struct inotify_event *event, const char *path)
{
    return event->len > 0 && strcmp(event->name, strrchr(path, '/') + 1) == 0;
}

static void tell_restored(struct device_server *server)
{
    char end_text[CHILD_END_SIZE];
    struct child_end end = {0};

    if (!server->events.restored || device_server_has_ended(server))
        return;
    device_server_files_recall_end(&server->files, &end);
    server->events.restored(server->userdata, describe(server, child_end_describe(&end, end_text)));
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    struct device_server *server = userdata;

    (void)source;
    /* An overflow may have swallowed the one that counts. */
    if (is_about(event, server->files.ended))
        tell_restored(server);
    else if (event->mask & IN_Q_OVERFLOW || is_about(event, server->files.aperture))
        server->events.aperture(server->userdata);
    return 0;
}

static int watch_aperture(sd_event *event, struct device_server *server, const char *directory)
{
    return sd_event_add_inotify(event, &server->watch, directory, IN_MOVED_TO | IN_ONLYDIR,
                                on_folder, server) < 0
               ? -EIO
               : 0;
}

int device_server_get_aperture(const struct device_server *server,
                               struct aperture_status *ret_status)
{
    int r = aperture_status_read(server->files.aperture, ret_status);

    if (r < 0 && r != -ENOENT) {
        *ret_status =
            (struct aperture_status){.state = APERTURE_NONE,
                                     .reason = "cannot read the relay's report of the aperture; "
                                               "remove the share and add it again"};
        r = 0;
    }
    return r;
}

int device_server_confirm_aperture(const struct device_server *server, uint64_t number)
{
    return aperture_status_confirm(server->files.aperture, number);
}

/* Without a relay there is no aperture. @return 0, or -EOPNOTSUPP: it is required */
static int do_without_relay(const struct device_server *server,
                            const struct device_server_spec *spec)
{
    if (spec->aperture == CONFIG_APERTURE_REQUIRE)
        return -EOPNOTSUPP;
    return aperture_status_write(
        server->files.aperture,
        &(struct aperture_status){.state = APERTURE_NONE,
                                  .reason = "guestlink-virtiofs-relay is not installed"});
}

/* passt wants a folder of that name, to cover it with its own root. @return 0 or -errno */
static int make_command(const struct device_server_spec *spec, bool relay,
                        struct virtiofsd_command *command)
{
    if (!spec->passt)
        return virtiofsd_command_make(spec->program,
                                      &(struct virtiofsd_share){.path = spec->path,
                                                                .read_only = spec->read_only,
                                                                .serving = spec->serving},
                                      relay, command);
    memcpy(command->place, PASST_PLACE, sizeof(PASST_PLACE));
    return relay ? 0 : -ENOPKG;
}

static void put_before(const char *const *guard, const char *relay,
                       const char *ret_argv[GUARDED_WORDS])
{
    size_t count = 0;

    for (; guard[count] && count < GUARDED_WORDS - 2; count++)
        ret_argv[count] = guard[count];
    ret_argv[count] = relay;
    ret_argv[count + 1] = NULL;
}

static int start_child(sd_event *event, struct device_server *server,
                       const struct device_server_spec *spec, int socket_fd, int log_fd)
{
    struct virtiofsd_command command = {.keeps_read_only = false};
    char relay[LIMITS_PATH];
    const char *relay_argv[GUARDED_WORDS] = {virtiofsd_command_find_relay(relay), NULL};
    bool has_relay = relay_argv[0] != NULL;
    struct child_spec child = {
        .argv = has_relay ? relay_argv : command.argv,
        .fds = {-1, -1, log_fd, socket_fd},
        .outside = true,
        .detached = true,
        .record = server->files.record,
        .gate = server->gate,
    };
    int r = make_command(spec, has_relay, &command);

    if (has_relay && spec->guard)
        put_before(spec->guard, relay, relay_argv);
    if (r == 0 && !command.place[0]) { /* or the jail does it, where the relay keeps its own view */
        child.folder = spec->path;
        /* Its own word is all that there is where an ordinary user has no jail. */
        child.read_only = spec->read_only && !(command.keeps_read_only && geteuid() != 0);
    }
    if (r == 0 && !has_relay)
        r = do_without_relay(server, spec);
    else if (r == 0)
        r = child.fds[0] =
            device_server_words_write(&server->files, spec, server->program, &command);
    if (r >= 0 && pipe2(server->gate, O_CLOEXEC) < 0)
        r = -errno;
    if (r >= 0)
        r = child_start(event, &child, on_child_ended, server, &server->child);
    if (child.fds[0] >= 0)
        (void)close(child.fds[0]);
    return r;
}

static void open_gate(struct device_server *server)
{
    for (size_t i = 2; i-- > 0;) {
        if (server->gate[i] < 0)
            continue;
        if (i == 1)
            (void)!write(server->gate[1], "", 1);
        (void)close(server->gate[i]);
        server->gate[i] = -1;
    }
}

static void on_scope_done(void *userdata, const char *remark)
{
    struct device_server *server = userdata;

    open_gate(server);
    if (!child_has_ended(server->child, NULL))
        server->events.ready(server->userdata, remark);
}

static int start_scope(sd_event *event, struct device_server *server,
                       const struct device_server_spec *spec)
{
    char unit[64], description[256];

    /* With its process id: one of the same share may have ended without systemd having seen it. */
    (void)snprintf(unit, sizeof(unit), "guestlink-%s-%.32s-%d.scope", server->program, spec->name,
                   (int)child_pid(server->child));
    (void)snprintf(description, sizeof(description), "%s of guestlink for %.200s", server->program,
                   spec->path);
    return scope_new(event, unit, description, child_pid(server->child), on_scope_done, server,
                     &server->scope);
}

int device_server_start(sd_event *event, const struct device_server_spec *spec,
                        const struct device_server_events *events, void *userdata,
                        struct device_server **ret_server)
{
    struct device_server *server;
    FD socket_fd = -1;
    FD log_fd = -1;
    int r;

    r = new_named(spec->directory, spec->name, events, userdata, &server);
    if (r < 0)
        return r;
    r = device_server_files_make_directory(spec->directory);
    if (r < 0) {
        (void)device_server_free(server);
        return r;
    }
    device_server_sweep(event, spec->directory, spec->name);
    socket_fd = device_server_files_listen(&server->files, spec->uid, spec->gid);
    log_fd = socket_fd < 0 ? socket_fd : open_log(event, server, true);
    r = log_fd < 0 ? log_fd : start_child(event, server, spec, socket_fd, log_fd);
    if (r == 0)
        r = watch_aperture(event, server, spec->directory);
    if (r == 0)
        r = start_scope(event, server, spec);
    if (r < 0) {
        (void)device_server_stop(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

int device_server_adopt(sd_event *event, const char *directory, const char *name,
                        const struct device_server_events *events, void *userdata,
                        struct device_server **ret_server)
{
    struct device_server *server;
    int writer, r;

    r = new_named(directory, name, events, userdata, &server);
    if (r < 0)
        return r;
    r = child_recall(event, server->files.record, on_child_ended, server, &server->child);
    if (r == 0)
        r = watch_aperture(event, server, directory);
    if (r < 0) {
        (void)device_server_free(server);
        return r;
    }
    writer = open_log(event, server, false); /* without it there are no last words, no more */
    fd_close(&writer);
    *ret_server = server;
    return 0;
}

void device_server_sweep(sd_event *event, const char *directory, const char *name)
{
    struct device_server *server;

    if (new_named(directory, name, NULL, NULL, &server) < 0)
        return;
    (void)child_recall(event, server->files.record, on_child_ended, server, &server->child);
    (void)device_server_stop(server);
}

const char *device_server_socket(const struct device_server *server)
{
    return server->files.socket;
}

bool device_server_has_ended(struct device_server *server)
{
    return child_has_ended(server->child, NULL);
}

struct device_server *device_server_free(struct device_server *server)
{
    if (!server)
        return NULL;
    open_gate(server);
    (void)sd_event_source_disable_unref(server->watch);
    scope_free(server->scope);
    child_free(server->child);
    sink_free(server->sink);
    free(server);
    return NULL;
}

struct device_server *device_server_stop(struct device_server *server)
{
    if (!server)
        return NULL;
    server->child = child_kill(server->child);
    device_server_files_remove(&server->files);
    return device_server_free(server);
}
