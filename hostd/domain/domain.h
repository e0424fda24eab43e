/*
 * domain: the parts of the device host "libvirt", which gives a domain its devices through
 * guestlink-libvirt. What it knows of them it reads from the live XML before each operation: a
 * libvirtd, a guestlink-libvirt or a daemon that was restarted has nothing to remember.
 *
 * From the top: driver.c, share.c, adapter.c and remove.c, task.c, device.c.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_DOMAIN_H
#define GUESTLINK_HOSTD_DOMAIN_DOMAIN_H

#include "base/json.h"
#include "description.h"
#include "device/device_driver.h"
#include "device/device_server_files.h"
#include "device/passt_server.h"
#include "device/share_server.h"
#include "device_xml.h"
#include "libvirt.h"

struct domain_task;

/* A share, or an adapter that passt serves: there, or on its way. */
struct domain_device {
    struct domain_device *next;
    struct device_domain *domain;
    struct domain_task *task; /* that adds it now, or NULL */
    struct device_server *server;
    bool is_share;
    char *name;                        /* tag or id */
    char alias[DEVICE_XML_ALIAS_SIZE]; /* in the domain */
    char file[PASST_SERVER_NAME_SIZE]; /* its server's name */
    const char *obstacle; /* why it has no aperture, static; NULL: its relay says what it has */
    bool discards;        /* the domain has a device that takes pages of its memory away */
    bool leaving;         /* libvirt was asked to unplug it, and has not said what came of it */
};

struct device_domain {
    struct device_host host;
    struct libvirt_user *libvirt;
    char *directory;              /* of the servers' files, this VM's alone */
    char *parent;                 /* above it */
    struct json_object *memory;   /* an earlier daemon's; NULL once it served */
    bool is_up, was_up, was_told; /* the last: that it is not up */
    bool looking, look_again;     /* a description was asked for, and is outdated */
    bool is_unknown;              /* libvirt could not say whether it is up, which was told */
    sd_event_source *look_timer;  /* it is asked again */
    int64_t run;                  /* of the domain, while it is up or was when libvirt went */
    uint64_t reset_us;            /* when the guest was reset last */
    bool no_iommu_shares;         /* this QEMU refused iommu_platform for a share's device */
    unsigned last_port;           /* that was used last */
    struct domain_task *tasks;
    struct domain_device *devices;
    struct domain_leftover *leftovers;
    sd_event_source *leftovers_timer;
    /* The driver's: an operation found that the domain does not run. */
    void (*absent)(struct device_domain *domain, const char *text);
};

typedef void (*domain_step_fn)(struct domain_task *task, const struct libvirt_reply *reply);

/* One operation, as a row of steps of which each is the answer to a call. */
struct domain_task {
    struct domain_task *next;
    struct device_domain *domain;
    struct device_operation *operation;
    uint64_t deadline; /* CLOCK_BOOTTIME, µs */
    domain_step_fn step;
    domain_step_fn made; /* what describes, unplugs or attaches goes on with */
    sd_event_source *timer;
    void (*timed)(struct domain_task *task);
    char *name;
    unsigned port; /* reserved while the task lives */
    int unplug_error;
    char alias[DEVICE_XML_ALIAS_SIZE];
    char old_file[PASST_SERVER_NAME_SIZE]; /* domain_task_note_old() */
    bool is_share, is_removal;
    bool unplugging, unplug_answered, unplug_event; /* domain_task_unplug() */

    /* of an addition */
    bool adopted;      /* its server is an earlier daemon's */
    bool awaits_ready; /* it was started; no call is under way */
    bool overdue;      /* it was ended, for the attachment took too long */
    bool iommu_platform;
    struct domain_device *device;
    domain_step_fn ready;            /* what comes then; the reply's error: it ended */
    const char *serving_remark;      /* static */
    struct share_server_place place; /* of a share */
    struct share_server_spec share;
    const struct config_network *network;
    uint32_t attach_ms; /* the bound of an attachment */
    enum config_aperture aperture;
    char options[OPTIONS_SIZE];
    char remark[512];
};

static inline struct device_domain *device_domain_of(struct device_host *host)
{
    return (struct device_domain *)host;
}

/* ---- device.c */

/* Puts a new one on the list, and takes a former one of that name off. @return NULL: no memory */
struct domain_device *domain_device_new(struct domain_task *task, const char *file);

/* Takes it off the list and frees it. @p stop: its server ends too. @return NULL */
struct domain_device *domain_device_free(struct domain_device *device, bool stop);

/* Ends what serves all devices, and what an earlier daemon remembered: QEMU is gone. */
void domain_devices_clean_up(struct device_domain *domain);

/* libvirt said of an alias, which need not be ours, that it is gone or stays. NULL: of all it is
 * not known any more what libvirt was asked. */
void domain_devices_stay(struct device_domain *domain, const char *alias);

/* Watches the server that an earlier daemon started for it. @return 0 or -errno: there is none */
int domain_device_adopt(struct domain_device *device);

/* Notes what serves a device that is to go, and ends it when that is gone. */
void domain_task_note_old(struct domain_task *task, const struct description_device *found);
void domain_task_sweep_old(struct domain_task *task);

/* Its socket's path, "" if that does not fit. @param buffer  of DEVICE_SERVER_FILE_SIZE bytes */
const char *domain_device_socket(const struct domain_device *device, char *buffer);

struct json_object *domain_devices_remember(const struct device_domain *domain);

/* Where its files are, and whose its socket is: QEMU's user's, as the live XML says. */
struct share_server_place domain_place(const struct device_domain *domain,
                                       struct json_object *description);

/* As their namesakes in device_driver.h. */
int domain_get_share_aperture(const struct device_host *host, const char *tag,
                              struct aperture_status *ret_status);
int domain_get_adapter_aperture(const struct device_host *host, const char *id,
                                struct aperture_status *ret_status);
int domain_confirm_share_aperture(const struct device_host *host, const char *tag, uint64_t number);
int domain_confirm_adapter_aperture(const struct device_host *host, const char *id,
                                    uint64_t number);

/* What a server is watched for; the userdata is the struct domain_device. */
extern const struct device_server_events domain_device_events;

/* ---- task.c */

#define DOMAIN_TASK_E_BUSY 1

/*
 * Makes the task of an operation on a device.
 *
 * @return 0; DOMAIN_TASK_E_BUSY: another one on that device is under way, or the domain is not
 * there, and this one ends with that; -errno
 */
int domain_task_new(struct device_host *host, bool is_share, const char *name,
                    struct device_operation *operation, struct domain_task **ret_task);

/* Frees a task whose operation could not begin. @return NULL */
struct domain_task *domain_task_abandon(struct domain_task *task);

/* Ends the operation and frees the task. A server that the task started, and whose device is not
 * there, is ended. */
void domain_task_finish(struct domain_task *task, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the operation by what libvirt said, with what to do about it. @param what  was tried */
void domain_task_fail(struct domain_task *task, const char *what,
                      const struct libvirt_reply *reply);

/* Asks for the live description. @param step  its reply's result is one of an active domain */
int domain_task_describe(struct domain_task *task, domain_step_fn step);

/* Chooses a free root port. They take turns: qemu/task.h says why.
 * @return false: the task has failed */
bool domain_task_find_port(struct domain_task *task, struct json_object *description);

/*
 * Attaches a device. If libvirt does not come back in time, for QEMU waits for what serves the
 * device, that is ended, and the call fails.
 *
 * @param xml   consumed; NULL: no memory
 * @param step  its reply may be an error
 */
void domain_task_attach(struct domain_task *task, char *xml, domain_step_fn step);

/*
 * Removes the task's device and waits until the guest let go of it.
 *
 * @param step  error 0 also if it was not there; ETIMEDOUT, EBUSY: the guest keeps it
 */
void domain_task_unplug(struct domain_task *task, domain_step_fn step);

/* Passes on that a device is gone (@p error 0), or that the guest keeps it. */
void domain_tasks_on_unplugged(struct device_domain *domain, const char *alias, int error);

/* Ends the unplugging that waits for libvirt's word. */
void domain_tasks_lose_unplugs(struct device_domain *domain, const char *text);

/* ---- remove.c */

/* Removes a device of which no more than its name is known. @return 0 or -errno */
int domain_task_begin_removal(struct device_host *host, bool is_share, const char *name,
                              struct device_operation *operation);

/* ---- share.c, adapter.c: as their namesakes in device_driver.h */

int domain_share_add(struct device_host *host, const struct device_share *share,
                     struct device_operation *operation);
int domain_adapter_add(struct device_host *host, const struct device_adapter *adapter,
                       struct device_operation *operation);

#endif
