/*
 * virtiofsd: the process that serves one virtiofs share to QEMU, behind a relay (relay/main.c) that
 * keeps the guest from hanging if it dies.
 *
 * It outlives the daemon. What a later daemon needs to find it stands in a directory, in files
 * named for it: NAME.sock (where QEMU connects; the listening socket is made here and handed over,
 * so it is there before QEMU asks), NAME.pid (a child's record), NAME.log (a FIFO that virtiofsd
 * holds both ends of: its stderr, bounded, and kept while nobody reads), NAME.end (how it ended, by
 * the relay), NAME.ap (its aperture, by the relay).
 */
#ifndef GUESTLINK_HOSTD_VIRTIOFSD_H
#define GUESTLINK_HOSTD_VIRTIOFSD_H

#include "base/aperture_status.h"
#include "base/child.h"
#include "base/sink.h"
#include "config/config.h"
#include "protocol/limits.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* What it said last, how it ended, and the words between. */
#define VIRTIOFSD_TEXT_SIZE (SINK_LAST_WORDS + CHILD_END_SIZE + 64)

/* With this begins the name of what is a passt. */
#define VIRTIOFSD_PASST "net-"

struct virtiofsd;

/* What is said of "virtiofsd" here holds for a passt as well, of which the relay takes care in
 * another way (relay/kind.h). */
struct virtiofsd_spec {
    const char *program;   /* NULL: the first of the usual places */
    const char *directory; /* of the files; made if missing, but not its parent */
    const char *name;      /* of the files; unique to what is served and how */
    const char *path;      /* the directory served; or the adapter, for a person */
    bool read_only;        /* enforced on the host: it sees the directory mounted read-only */
    /* The command line of a passt, which is started instead, for an adapter; or NULL. */
    const char *const *passt;
    const char *const *guard; /* words before the relay's command, at most ten; or NULL */
    const char *options;      /* the device's option string, verbatim */
    enum config_aperture aperture;
    uid_t uid; /* who may connect besides root: QEMU's user */
    gid_t gid;
};

/* It runs, where the daemon's end does not reach it (@p remark ""), or why that could not be had.
 * Not told if it ended before. */
typedef void (*virtiofsd_ready_fn)(void *userdata, const char *remark);

/* @p text: how it ended, with its last words; it is then only good for virtiofsd_free() and
 * virtiofsd_stop(). */
typedef void (*virtiofsd_ended_fn)(void *userdata, const char *text);

/* virtiofsd_get_aperture() may say something else than before. */
typedef void (*virtiofsd_aperture_fn)(void *userdata);

struct virtiofsd_events {
    virtiofsd_ready_fn ready; /* not of one that is taken over */
    virtiofsd_ended_fn ended;
    virtiofsd_aperture_fn aperture;
    /* Of a passt: it ended, as @p text says, and another one has taken its place or is about to. */
    void (*restored)(void *userdata, const char *text);
};

/* Makes a folder that others may pass through, as QEMU's user must, but not look around in. Its
 * parent is there. @return 0 or -errno */
int virtiofsd_make_directory(const char *path);

/*
 * Starts one; a former one of the same name, and its files, are removed first.
 *
 * @return 0; -ENOENT: no virtiofsd is installed, or not where @p program says; -ENAMETOOLONG: the
 *         socket's path does not fit; -EOPNOTSUPP: an aperture is required, and there is no relay
 *         to make one; -ENOPKG: no relay, without which there is no passt; -errno
 */
int virtiofsd_start(sd_event *event, const struct virtiofsd_spec *spec,
                    const struct virtiofsd_events *events, void *userdata,
                    struct virtiofsd **ret_virtiofsd);

/* Watches the one that an earlier daemon started. @return 0; -ESRCH: it does not run; -errno */
int virtiofsd_adopt(sd_event *event, const char *directory, const char *name,
                    const struct virtiofsd_events *events, void *userdata,
                    struct virtiofsd **ret_virtiofsd);

/* Kills the one of that name that an earlier daemon started, if it runs, and removes its files. */
void virtiofsd_sweep(sd_event *event, const char *directory, const char *name);

/* Where QEMU connects. */
const char *virtiofsd_socket(const struct virtiofsd *virtiofsd);

/* True if it has ended, told or not yet told. */
bool virtiofsd_has_ended(struct virtiofsd *virtiofsd);

/* The last words so far, or how it ended with them; its own. */
const char *virtiofsd_describe(struct virtiofsd *virtiofsd);

/*
 * What its relay says of its aperture, at this moment. Nonsense, which a relay that was taken over
 * may say, is APERTURE_NONE: nothing is known to hold.
 *
 * @return 0; -ENOENT: nothing yet
 */
int virtiofsd_get_aperture(const struct virtiofsd *virtiofsd, struct aperture_status *ret_status);

/* Stops watching; the process and its files stay. NULL is fine. @return NULL */
struct virtiofsd *virtiofsd_free(struct virtiofsd *virtiofsd);

/* Ends the process at once (it holds nothing that is not with the kernel already) and removes its
 * files. NULL is fine. @return NULL */
struct virtiofsd *virtiofsd_stop(struct virtiofsd *virtiofsd);

#endif
