/*
 * device_server: the process that serves one device to QEMU (virtiofsd a share, passt an adapter),
 * behind a relay (relay/main.c) that keeps the guest from hanging if it dies.
 *
 * It outlives the daemon. What a later daemon needs to find it stands in files
 * (device_server_files.h); the listening socket is made here and handed over.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_SERVER_H
#define GUESTLINK_HOSTD_DEVICE_SERVER_H

#include "base/aperture_status.h"
#include "base/child.h"
#include "base/sink.h"
#include "config/config.h"
#include "protocol/limits.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* What it said last, how it ended, and the words between. */
#define DEVICE_SERVER_TEXT_SIZE (SINK_LAST_WORDS + CHILD_END_SIZE + 64)

/* With this begins the name of what is a passt. */
#define DEVICE_SERVER_PASST "net-"

struct device_server;

struct device_server_spec {
    const char *program;   /* NULL: the first of the usual places */
    const char *directory; /* of the files; made if missing, but not its parent */
    const char *name;      /* of the files; unique to what is served and how */
    const char *path;      /* the directory served; or the adapter, for a person */
    bool read_only;        /* enforced on the host: it sees the directory mounted read-only */
    const struct config_serving *serving; /* a virtiofsd's */
    /* For an adapter: the command line of a passt, which is started in virtiofsd's place, and of
     * which the relay takes care in another way (relay/kind.h). */
    const char *const *passt;
    const char *const *guard; /* words before the relay's command, at most ten; or NULL */
    const char *options;      /* the device's option string, verbatim */
    enum config_aperture aperture;
    uid_t uid; /* who may connect in addition to root: QEMU's user */
    gid_t gid;
};

/* It runs, where the daemon's end does not reach it (@p remark ""), or why that could not be had.
 * Not told if it ended before. */
typedef void (*device_server_ready_fn)(void *userdata, const char *remark);

/* @p text: how it ended, with its last words; it is then only good for device_server_free() and
 * device_server_stop(). */
typedef void (*device_server_ended_fn)(void *userdata, const char *text);

/* device_server_get_aperture() may say something else than before. */
typedef void (*device_server_aperture_fn)(void *userdata);

struct device_server_events {
    device_server_ready_fn ready; /* not of one that is taken over */
    device_server_ended_fn ended;
    device_server_aperture_fn aperture;
    /* Of a passt: it ended, as @p text says, and another one has taken its place or is about to. */
    void (*restored)(void *userdata, const char *text);
};

/*
 * Starts one; a former one of the same name, and its files, are removed first.
 *
 * @return 0; -ENOENT: no virtiofsd is installed, or not where @p program says; -ENAMETOOLONG: the
 *         socket's path does not fit; -EOPNOTSUPP: an aperture is required, and there is no relay
 *         to make one; -ENOPKG: no relay, without which there is no passt; -errno
 */
int device_server_start(sd_event *event, const struct device_server_spec *spec,
                        const struct device_server_events *events, void *userdata,
                        struct device_server **ret_server);

/* Watches the one that an earlier daemon started. @return 0; -ESRCH: it does not run; -errno */
int device_server_adopt(sd_event *event, const char *directory, const char *name,
                        const struct device_server_events *events, void *userdata,
                        struct device_server **ret_server);

/* Kills the one of that name that an earlier daemon started, if it runs, and removes its files. */
void device_server_sweep(sd_event *event, const char *directory, const char *name);

/* Where QEMU connects. */
const char *device_server_socket(const struct device_server *server);

/* True if it has ended, told or not yet told. */
bool device_server_has_ended(struct device_server *server);

/* The last words so far, or how it ended with them; its own. */
const char *device_server_describe(struct device_server *server);

/*
 * What its relay says of its aperture, at this moment. Nonsense, which a relay that was taken over
 * may say, is APERTURE_NONE: nothing is known to hold.
 *
 * @return 0; -ENOENT: nothing yet
 */
int device_server_get_aperture(const struct device_server *server,
                               struct aperture_status *ret_status);

/* Answers an APERTURE_WAITING of that number. @return 0 or -errno */
int device_server_confirm_aperture(const struct device_server *server, uint64_t number);

/* Stops watching; the process and its files stay. NULL is fine. @return NULL */
struct device_server *device_server_free(struct device_server *server);

/* Ends the process at once (it holds nothing that is not with the kernel already) and removes its
 * files. NULL is fine. @return NULL */
struct device_server *device_server_stop(struct device_server *server);

#endif
