/*
 * qemu task: one operation on QEMU, as a row of steps of which each is the answer to a command.
 *
 * Steps that several kinds of operations have in common are here: is the device there, find a free
 * port, unplug and wait. A task belongs to its device host and ends with qemu_task_finish(), from
 * within a step.
 */
#ifndef GUESTLINK_HOSTD_QEMU_TASK_H
#define GUESTLINK_HOSTD_QEMU_TASK_H

#include "base/json.h"
#include "device/device_driver.h"
#include "device/passt_server.h"
#include "device/share_server.h"
#include "name.h"
#include "protocol/options.h"
#include "qmp.h"
#include "qmp_reader.h"

struct qemu_task;

/* A share that is there, or on its way: virtiofsd, watched. */
struct qemu_share {
    struct qemu_share *next;
    struct device_qemu *qemu;
    struct qemu_task *task; /* that adds it now, or NULL */
    struct device_server *virtiofsd;
    char *tag;
    char name[DEVICE_NAME_HASH_SIZE]; /* of the chardev and of virtiofsd's files */
    const char
        *obstacle; /* why its device has no aperture, static; NULL: its relay says what it has */
    const char *discards; /* qemu_discard_look()'s */
    bool leaving; /* QEMU was asked to unplug its device, and has not said yet what came of it */
};

/* The same of an adapter: its passt. */
struct qemu_passt {
    struct qemu_passt *next;
    struct device_qemu *qemu;
    struct qemu_task *task;
    struct device_server *server;
    const char *obstacle; /* why there is no aperture, if so; static */
    const char *discards; /* qemu_discard_look()'s */
    char *id;
    char name[PASST_SERVER_NAME_SIZE]; /* of its files */
};

struct device_qemu {
    struct device_host host;
    struct qmp *qmp;
    char *directory;            /* of virtiofsd's files, this VM's alone */
    char *old_directory;        /* above it: all VMs' files, of daemons up to 0.1.0 */
    struct json_object *memory; /* an earlier daemon's; NULL once it served */
    bool was_up;
    bool no_iommu_shares;           /* this QEMU refused iommu_platform for a share's device */
    char last_port[QEMU_NAME_SIZE]; /* the one found last, or "" */
    struct qemu_task *tasks;
    struct qemu_share *shares;
    struct qemu_passt *passts;
};

typedef void (*qemu_step_fn)(struct qemu_task *task, const struct qmp_reply *reply);

struct qemu_task {
    struct qemu_task *next;
    struct device_qemu *qemu;
    struct device_operation *operation;
    uint64_t deadline;      /* CLOCK_BOOTTIME, µs */
    const char *command;    /* the one under way */
    enum qmp_shape shape;   /* of its answer */
    qemu_step_fn step;      /* what takes that */
    sd_event_source *timer; /* of qemu_task_wait(); NULL: none runs */
    void (*waited)(struct qemu_task *task);
    char *name; /* the share's tag or the adapter's id */
    char device[QEMU_NAME_SIZE];
    char backend[QEMU_NAME_SIZE];     /* chardev or netdev */
    char old_backend[QEMU_NAME_SIZE]; /* of a device that has to go first */

    /* qemu_task_find_port() */
    char **ports; /* candidates, NULL-terminated */
    size_t port;  /* the one at hand; reserved while the task lives */
    qemu_step_fn port_found;

    /* qemu_memory_begin() */
    struct json_object *memories; /* its backends */
    size_t memory;                /* the one at hand */
    bool memory_is_of_nodes;
    qemu_step_fn memory_judged;

    /* qemu_task_unplug() */
    bool unplugging, unplug_answered, unplug_event;
    int unplug_error;
    qemu_step_fn unplugged;

    /* the operation's own */
    bool iommu_platform, device_sent;
    bool awaits_ready;                     /* virtiofsd was started; no command is under way */
    unsigned port_waits;                   /* for published ports to become free */
    void (*ready)(struct qemu_task *task); /* of a share: what comes then */
    struct share_server_spec serve;        /* a share */
    const char *serving_remark;            /* static: what virtiofsd does without; or "" */
    char options[OPTIONS_SIZE];
    enum config_aperture aperture;
    const char *discards; /* what QEMU has that discards memory, for a person; static, or NULL */
    qemu_step_fn looked;  /* qemu_discard_look() */
    struct qemu_share *share;
    const struct config_network *network;
    struct qemu_passt *passt;                /* NULL: of another backend */
    qemu_step_fn passt_ready;                /* qemu_passt_make() */
    bool share_adopted, passt_adopted;       /* an earlier daemon's, with its device */
    bool connected;                          /* QEMU, with the socket of a `stream` netdev */
    void (*cleanup)(struct qemu_task *task); /* before the task is freed unfinished */
    int error;                               /* of what failed, while it is undone */
    char text[DEVICE_TEXT_SIZE];
    char remark[512]; /* about what worked, but not as it should */
};

static inline struct device_qemu *device_qemu_of(struct device_host *host)
{
    return (struct device_qemu *)host;
}

#define QEMU_TASK_E_BUSY 1

/*
 * Makes the task of an operation on the device that @p prefix and @p name name.
 *
 * @param ret_task  for qemu_task_finish() or qemu_task_abandon()
 * @return 0; QEMU_TASK_E_BUSY: another operation on that device is under way, and this one ends
 * with that; -errno
 */
int qemu_task_new(struct device_host *host, const char *prefix, const char *name,
                  struct device_operation *operation, struct qemu_task **ret_task);

/* Frees a task whose operation could not begin. @return NULL */
struct qemu_task *qemu_task_abandon(struct qemu_task *task);

/* Ends the operation and frees the task. */
void qemu_task_finish(struct qemu_task *task, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sends a command, with what is left of the operation's time for its answer.
 *
 * @param command    outlives the task
 * @param arguments  consumed
 * @param shape      of the answer; one that has another is the error EPROTO in @p step
 * @return 0 or -errno
 */
int qemu_task_begin(struct qemu_task *task, const char *command, struct json_object *arguments,
                    enum qmp_shape shape, qemu_step_fn step);

/* As qemu_task_begin(), from within a step: what cannot be sent ends up in @p step as an error. */
void qemu_task_next(struct qemu_task *task, const char *command, struct json_object *arguments,
                    enum qmp_shape shape, qemu_step_fn step);

/* Sends a command whose answer nobody waits for: to undo, or to remove what may not be there. */
void qemu_task_tell(struct qemu_task *task, const char *command, struct json_object *arguments);

/* As qemu_task_next(), `qom-get` of a property of task->device. */
void qemu_task_next_get(struct qemu_task *task, const char *property, enum qmp_shape shape,
                        qemu_step_fn step);

/* As qemu_task_begin(), the same: task->device need not be there (EREMOTEIO). */
int qemu_task_begin_get(struct qemu_task *task, const char *property, enum qmp_shape shape,
                        qemu_step_fn step);

/* As qemu_task_next(), `qom-list` of the machine's devices. */
void qemu_task_next_list(struct qemu_task *task, qemu_step_fn step);

/* Calls @p waited after @p us, unless task->timer is freed before. @return 0 or -errno */
int qemu_task_wait(struct qemu_task *task, uint64_t us, void (*waited)(struct qemu_task *task));

/* @param key  name or type, of an entry in the answer to a qom-list @return "" if it has none */
const char *qemu_task_property(const struct qmp_reply *reply, size_t index, const char *key);

/* True if the answer to `qom-list /machine/peripheral` lists task->device. */
bool qemu_task_device_is_listed(const struct qemu_task *task, const struct qmp_reply *reply);

/*
 * Finds a PCIe root port without a device; qemu_task_port() names it then. They take turns: a guest
 * that hears twice that a device is to go (with ACPI it does, if another is to go meanwhile) lets
 * go a second time of whatever is in that port by then, and QEMU says nothing of that.
 *
 * @param found  its reply's error is EREMOTEIO or ENOSPC if there is none
 */
void qemu_task_find_port(struct qemu_task *task, qemu_step_fn found);
const char *qemu_task_port(const struct qemu_task *task);

/*
 * Removes task->device and waits until the guest released it. QEMU is not asked again for what it
 * was asked already: a guest may hear of that only when it has released it, and then releases
 * whatever is in that port by then (ACPI hot-plug; seen with Linux 6.1).
 *
 * @param unplugged  error 0 also if it was not there; ETIMEDOUT, EBUSY: the guest keeps it
 */
void qemu_task_unplug(struct qemu_task *task, qemu_step_fn unplugged);

/* Passes on DEVICE_DELETED (@p error 0) or an unplug error of the device @p id. */
void qemu_task_on_unplug_event(struct device_qemu *qemu, const char *id, int error);

/* QEMU cannot be heard any more: ends the unplugging that waits for its word. */
void qemu_task_lose_unplugs(struct device_qemu *qemu, const char *text);

/* Milliseconds until the operation's deadline, at least 1. */
uint32_t qemu_task_left_ms(const struct qemu_task *task);

#endif
