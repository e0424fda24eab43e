/* virtiofsd: the process that serves one virtiofs share to QEMU. */
#include "virtiofsd.h"

#include "base/child.h"
#include "base/fd.h"
#include "base/scope.h"
#include "base/sink.h"
#include "virtiofsd_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PASST_PLACE "/tmp"

/* Those of a guard, and the relay's. */
#define GUARDED_WORDS 16u

#define FILE_NAME_SIZE (sizeof(((struct sockaddr_un *)NULL)->sun_path))

struct virtiofsd {
    char socket[FILE_NAME_SIZE];
    char record[FILE_NAME_SIZE];
    char log[FILE_NAME_SIZE];
    char inner[FILE_NAME_SIZE];    /* between relay and virtiofsd; there for a moment only */
    char ended[FILE_NAME_SIZE];    /* how it did, by the relay */
    char aperture[FILE_NAME_SIZE]; /* its status, by the relay (base/aperture_status.h) */
    struct child *child;
    struct sink *sink;
    struct scope *scope;
    int gate[2];            /* holds the child back until it has its scope; -1 when it was let go */
    sd_event_source *watch; /* of the status' folder */
    struct virtiofsd_events events;
    const char *program; /* for messages */
    void *userdata;
    char text[VIRTIOFSD_TEXT_SIZE];
};

static void remove_files(const struct virtiofsd *virtiofsd)
{
    (void)unlink(virtiofsd->socket);
    (void)unlink(virtiofsd->record);
    (void)unlink(virtiofsd->log);
    (void)unlink(virtiofsd->inner);
    (void)unlink(virtiofsd->ended);
    (void)unlink(virtiofsd->aperture);
}

/* What the relay noted (relay_end_as()): nobody else's child is there to be waited for. */
static void recall_end(const struct virtiofsd *virtiofsd, struct child_end *end)
{
    char text[32] = "";
    const char *number = text;
    FD fd = open(virtiofsd->ended, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return;
    if (read(fd, text, sizeof(text) - 1) > 0)
        number = strchrnul(text, ' ');
    if (*number) {
        end->known = true;
        end->signaled = strncmp(text, "signal ", 7) == 0;
        end->status = (int)strtol(number, NULL, 10);
    }
}

static const char *describe(struct virtiofsd *virtiofsd, const char *end)
{
    char words[SINK_LAST_WORDS + 1];

    if (virtiofsd->sink)
        sink_drain(virtiofsd->sink);
    (void)sink_last_words(virtiofsd->sink, words, sizeof(words));
    (void)snprintf(virtiofsd->text, sizeof(virtiofsd->text), "%s: %s; last words: %s",
                   virtiofsd->program, end, words[0] ? words : "none");
    return virtiofsd->text;
}

const char *virtiofsd_describe(struct virtiofsd *virtiofsd)
{
    char end_text[CHILD_END_SIZE] = "still running";
    struct child_end end;

    if (virtiofsd->child && child_has_ended(virtiofsd->child, &end)) {
        if (!end.known && !end.never_began)
            recall_end(virtiofsd, &end);
        (void)child_end_describe(&end, end_text);
    }
    return describe(virtiofsd, end_text);
}

static void on_child_ended(void *userdata, const struct child_end *end)
{
    struct virtiofsd *virtiofsd = userdata;
    char text[VIRTIOFSD_TEXT_SIZE]; /* the callee may free what the other one stands in */

    (void)end;
    (void)snprintf(text, sizeof(text), "%s", virtiofsd_describe(virtiofsd));
    virtiofsd->events.ended(virtiofsd->userdata, text);
}

/* @param events  NULL: none is of interest */
static int new_named(const char *directory, const char *name, const struct virtiofsd_events *events,
                     void *userdata, struct virtiofsd **ret_virtiofsd)
{
    struct virtiofsd *virtiofsd;
    size_t size = strlen(directory) + strlen(name) + sizeof("/.sock");

    if (size > FILE_NAME_SIZE)
        return -ENAMETOOLONG;
    virtiofsd = calloc(1, sizeof(*virtiofsd));
    if (!virtiofsd)
        return -ENOMEM;
    (void)snprintf(virtiofsd->socket, FILE_NAME_SIZE, "%s/%s.sock", directory, name);
    (void)snprintf(virtiofsd->record, FILE_NAME_SIZE, "%s/%s.pid", directory, name);
    (void)snprintf(virtiofsd->log, FILE_NAME_SIZE, "%s/%s.log", directory, name);
    (void)snprintf(virtiofsd->inner, FILE_NAME_SIZE, "%s/%s.in", directory, name);
    (void)snprintf(virtiofsd->ended, FILE_NAME_SIZE, "%s/%s.end", directory, name);
    (void)snprintf(virtiofsd->aperture, FILE_NAME_SIZE, "%s/%s.ap", directory, name);
    virtiofsd->gate[0] = virtiofsd->gate[1] = -1;
    if (events)
        virtiofsd->events = *events;
    virtiofsd->program =
        strncmp(name, VIRTIOFSD_PASST, sizeof(VIRTIOFSD_PASST) - 1) == 0 ? "passt" : "virtiofsd";
    virtiofsd->userdata = userdata;
    *ret_virtiofsd = virtiofsd;
    return 0;
}

/* @return the listening socket, or -errno */
static int listen_for_qemu(const struct virtiofsd *virtiofsd, uid_t uid, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, virtiofsd->socket, FILE_NAME_SIZE);
    /* If it is not ours to give away, QEMU runs as the same user or cannot connect, and says so. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(virtiofsd->socket, 0600) < 0 ||
        (chown(virtiofsd->socket, uid, gid) < 0 && errno != EPERM) || listen(fd, 1) < 0)
        return -errno;
    return fd_take(&fd);
}

/* @return the end of the log for virtiofsd's stderr, or -errno */
static int open_log(sd_event *event, struct virtiofsd *virtiofsd, bool make)
{
    FD writer = -1;
    int reader, r;

    if (make && mkfifo(virtiofsd->log, 0600) < 0)
        return -errno;
    reader = open(virtiofsd->log, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (reader < 0)
        return -errno;
    /* Both ends in one: without a reader it is no SIGPIPE, and full it does not block. */
    writer = open(virtiofsd->log, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (writer < 0) {
        r = -errno;
        (void)close(reader);
        return r;
    }
    r = sink_new(event, reader, SINK_KEEP_LAST, SINK_LAST_WORDS, &virtiofsd->sink);
    return r < 0 ? r : fd_take(&writer);
}

static const char *access_of(const struct virtiofsd_spec *spec,
                             const struct virtiofsd_command *command)
{
    if (spec->passt)
        return "ro";
    if (!command->place[0])
        return "none";
    return spec->read_only ? "ro" : "rw";
}

static bool is_about(const struct inotify_event *event, const char *path)
{
    return event->len > 0 && strcmp(event->name, strrchr(path, '/') + 1) == 0;
}

static void tell_restored(struct virtiofsd *virtiofsd)
{
    char end_text[CHILD_END_SIZE];
    struct child_end end = {0};

    if (!virtiofsd->events.restored || virtiofsd_has_ended(virtiofsd))
        return;
    recall_end(virtiofsd, &end);
    virtiofsd->events.restored(virtiofsd->userdata,
                               describe(virtiofsd, child_end_describe(&end, end_text)));
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    struct virtiofsd *virtiofsd = userdata;

    (void)source;
    /* An overflow may have swallowed the one that counts. */
    if (is_about(event, virtiofsd->ended))
        tell_restored(virtiofsd);
    else if (event->mask & IN_Q_OVERFLOW || is_about(event, virtiofsd->aperture))
        virtiofsd->events.aperture(virtiofsd->userdata);
    return 0;
}

static int watch_aperture(sd_event *event, struct virtiofsd *virtiofsd, const char *directory)
{
    return sd_event_add_inotify(event, &virtiofsd->watch, directory, IN_MOVED_TO | IN_ONLYDIR,
                                on_folder, virtiofsd) < 0
               ? -EIO
               : 0;
}

int virtiofsd_get_aperture(const struct virtiofsd *virtiofsd, struct aperture_status *ret_status)
{
    int r = aperture_status_read(virtiofsd->aperture, ret_status);

    if (r < 0 && r != -ENOENT) {
        *ret_status =
            (struct aperture_status){.state = APERTURE_NONE,
                                     .reason = "cannot read what the relay says of the aperture; "
                                               "remove the share and add it again"};
        r = 0;
    }
    return r;
}

/* Without a relay there is no aperture. @return 0, or -EOPNOTSUPP: it is required */
static int do_without_relay(const struct virtiofsd *virtiofsd, const struct virtiofsd_spec *spec)
{
    if (spec->aperture == CONFIG_APERTURE_REQUIRE)
        return -EOPNOTSUPP;
    return aperture_status_write(
        virtiofsd->aperture,
        &(struct aperture_status){.state = APERTURE_NONE,
                                  .reason = "guestlink-virtiofs-relay is not installed"});
}

/* The words for the relay: not as arguments, so that who looks for virtiofsd by what it serves
 * finds virtiofsd. @return a descriptor to read them from, or -errno */
static int write_words(const struct virtiofsd *virtiofsd, const struct virtiofsd_spec *spec,
                       const struct virtiofsd_command *command)
{
    const char *const *argv = spec->passt ? spec->passt : command->argv;
    FD fd = memfd_create("guestlink-virtiofs-relay", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%s%c%s%c%s%c%s%c%s%c%s%c%s%c%s%c", virtiofsd->inner, 0, virtiofsd->ended, 0,
                virtiofsd->aperture, 0, spec->options, 0, config_aperture_names[spec->aperture], 0,
                command->place[0] && !spec->passt ? spec->path : "", 0, command->place, 0,
                access_of(spec, command), 0) < 0)
        return -errno;
    if (dprintf(fd, "%s%c", virtiofsd->program, 0) < 0)
        return -errno;
    for (size_t i = 0; argv[i]; i++)
        if (dprintf(fd, "%s%c", argv[i], 0) < 0)
            return -errno;
    (void)lseek(fd, 0, SEEK_SET);
    return fd_take(&fd);
}

/* passt wants a folder of that name, to cover it with a root of its own. @return 0 or -errno */
static int make_command(const struct virtiofsd_spec *spec, bool relay,
                        struct virtiofsd_command *command)
{
    if (!spec->passt)
        return virtiofsd_command_make(spec->program, spec->path, relay, command);
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

static int start_child(sd_event *event, struct virtiofsd *virtiofsd,
                       const struct virtiofsd_spec *spec, int socket_fd, int log_fd)
{
    struct virtiofsd_command command;
    char relay[LIMITS_PATH];
    const char *relay_argv[GUARDED_WORDS] = {virtiofsd_command_find_relay(relay), NULL};
    bool has_relay = relay_argv[0] != NULL;
    struct child_spec child = {
        .argv = has_relay ? relay_argv : command.argv,
        .fds = {-1, -1, log_fd, socket_fd},
        .outside = true,
        .detached = true,
        .record = virtiofsd->record,
        .gate = virtiofsd->gate,
    };
    int r = make_command(spec, has_relay, &command);

    if (has_relay && spec->guard)
        put_before(spec->guard, relay, relay_argv);
    if (r == 0 && !command.place[0]) { /* or the jail does it, where the relay keeps its own view */
        child.folder = spec->path;
        child.read_only = spec->read_only;
    }
    if (r == 0 && !has_relay)
        r = do_without_relay(virtiofsd, spec);
    else if (r == 0)
        r = child.fds[0] = write_words(virtiofsd, spec, &command);
    if (r >= 0 && pipe2(virtiofsd->gate, O_CLOEXEC) < 0)
        r = -errno;
    if (r >= 0)
        r = child_start(event, &child, on_child_ended, virtiofsd, &virtiofsd->child);
    if (child.fds[0] >= 0)
        (void)close(child.fds[0]);
    return r;
}

static void open_gate(struct virtiofsd *virtiofsd)
{
    for (size_t i = 2; i-- > 0;) {
        if (virtiofsd->gate[i] < 0)
            continue;
        if (i == 1)
            (void)!write(virtiofsd->gate[1], "", 1);
        (void)close(virtiofsd->gate[i]);
        virtiofsd->gate[i] = -1;
    }
}

static void on_scope_done(void *userdata, const char *remark)
{
    struct virtiofsd *virtiofsd = userdata;

    open_gate(virtiofsd);
    if (!child_has_ended(virtiofsd->child, NULL))
        virtiofsd->events.ready(virtiofsd->userdata, remark);
}

static int start_scope(sd_event *event, struct virtiofsd *virtiofsd,
                       const struct virtiofsd_spec *spec)
{
    char unit[64], description[256];

    /* With its process id: one of the same share may have ended without systemd having seen it. */
    (void)snprintf(unit, sizeof(unit), "guestlink-%s-%.32s-%d.scope", virtiofsd->program,
                   spec->name, (int)child_pid(virtiofsd->child));
    (void)snprintf(description, sizeof(description), "%s of guestlink for %.200s",
                   virtiofsd->program, spec->path);
    return scope_new(event, unit, description, child_pid(virtiofsd->child), on_scope_done,
                     virtiofsd, &virtiofsd->scope);
}

int virtiofsd_make_directory(const char *path)
{
    /* Whatever the umask. */
    return (mkdir(path, 0711) < 0 && errno != EEXIST) || (chmod(path, 0711) < 0 && errno != EPERM)
               ? -errno
               : 0;
}

int virtiofsd_start(sd_event *event, const struct virtiofsd_spec *spec,
                    const struct virtiofsd_events *events, void *userdata,
                    struct virtiofsd **ret_virtiofsd)
{
    struct virtiofsd *virtiofsd;
    FD socket_fd = -1;
    FD log_fd = -1;
    int r;

    r = new_named(spec->directory, spec->name, events, userdata, &virtiofsd);
    if (r < 0)
        return r;
    r = virtiofsd_make_directory(spec->directory);
    if (r < 0) {
        (void)virtiofsd_free(virtiofsd);
        return r;
    }
    virtiofsd_sweep(event, spec->directory, spec->name);
    socket_fd = listen_for_qemu(virtiofsd, spec->uid, spec->gid);
    log_fd = socket_fd < 0 ? socket_fd : open_log(event, virtiofsd, true);
    r = log_fd < 0 ? log_fd : start_child(event, virtiofsd, spec, socket_fd, log_fd);
    if (r == 0)
        r = watch_aperture(event, virtiofsd, spec->directory);
    if (r == 0)
        r = start_scope(event, virtiofsd, spec);
    if (r < 0) {
        (void)virtiofsd_stop(virtiofsd);
        return r;
    }
    *ret_virtiofsd = virtiofsd;
    return 0;
}

int virtiofsd_adopt(sd_event *event, const char *directory, const char *name,
                    const struct virtiofsd_events *events, void *userdata,
                    struct virtiofsd **ret_virtiofsd)
{
    struct virtiofsd *virtiofsd;
    int writer, r;

    r = new_named(directory, name, events, userdata, &virtiofsd);
    if (r < 0)
        return r;
    r = child_recall(event, virtiofsd->record, on_child_ended, virtiofsd, &virtiofsd->child);
    if (r == 0)
        r = watch_aperture(event, virtiofsd, directory);
    if (r < 0) {
        (void)virtiofsd_free(virtiofsd);
        return r;
    }
    writer = open_log(event, virtiofsd, false); /* without it there are no last words, no more */
    fd_close(&writer);
    *ret_virtiofsd = virtiofsd;
    return 0;
}

void virtiofsd_sweep(sd_event *event, const char *directory, const char *name)
{
    struct virtiofsd *virtiofsd;

    if (new_named(directory, name, NULL, NULL, &virtiofsd) < 0)
        return;
    (void)child_recall(event, virtiofsd->record, on_child_ended, virtiofsd, &virtiofsd->child);
    (void)virtiofsd_stop(virtiofsd);
}

const char *virtiofsd_socket(const struct virtiofsd *virtiofsd)
{
    return virtiofsd->socket;
}

bool virtiofsd_has_ended(struct virtiofsd *virtiofsd)
{
    return child_has_ended(virtiofsd->child, NULL);
}

struct virtiofsd *virtiofsd_free(struct virtiofsd *virtiofsd)
{
    if (!virtiofsd)
        return NULL;
    open_gate(virtiofsd);
    (void)sd_event_source_disable_unref(virtiofsd->watch);
    scope_free(virtiofsd->scope);
    child_free(virtiofsd->child);
    sink_free(virtiofsd->sink);
    free(virtiofsd);
    return NULL;
}

struct virtiofsd *virtiofsd_stop(struct virtiofsd *virtiofsd)
{
    if (!virtiofsd)
        return NULL;
    virtiofsd->child = child_kill(virtiofsd->child);
    remove_files(virtiofsd);
    return virtiofsd_free(virtiofsd);
}
