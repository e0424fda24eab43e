/*
 * virtio device: a virtio device of a VM, that its device host makes for an attachment. Equal
 * shares (path and options) use one; every adapter has its own.
 */
#ifndef GUESTLINK_HOSTD_VIRTIO_DEVICE_H
#define GUESTLINK_HOSTD_VIRTIO_DEVICE_H

#include "base/aperture_status.h"
#include "config/config.h"

#include "shared_folder.h"

#include "protocol/options.h"

#include <stdbool.h>
#include <stdint.h>

struct attachment;
struct attachment_kind;
struct config_network;
struct settings;
struct vm;

enum virtio_device_state {
    VIRTIO_DEVICE_ADDING,
    VIRTIO_DEVICE_THERE,
    VIRTIO_DEVICE_REMOVING,
};

struct virtio_device {
    struct virtio_device *next;
    struct vm *vm;
    const struct attachment_kind *kind;
    char *name; /* of the attachment that it was made for: a share's is the virtiofs tag */
    char *path; /* a share's, else NULL */
    bool read_only;
    struct config_serving serving; /* a share's */
    struct shared_folder folder;   /* likewise: what is served */
    struct settings *settings;     /* an adapter's: holds `network` */
    const struct config_network *network;
    char options[OPTIONS_SIZE];
    enum virtio_device_state state;
    bool unknown; /* it may not exist; its removal is reported to nobody */
    bool stale;   /* of another token, or without its server: goes as soon as nobody uses it */
    bool created;
    bool iommu_platform;
    enum config_aperture aperture_mode; /* a share's: that it was made with */
    bool aperture_known, aperture_told;
    bool aperture_awaited; /* it is told when what serves it has said what it can reach */
    struct aperture_status aperture;
    uint64_t question;     /* that its server waits with (APERTURE_WAITING), or 0 */
    uint64_t question_put; /* to the guest, that has not answered yet; or 0 */
    uint64_t asked_us;
    char *remark; /* what a person should know although it worked, or NULL */
};

/*
 * Gives @p a the device that it needs: an equal one that there is, or a new one that the device
 * host is asked for.
 *
 * @param wanted  its `path`, `read_only` and `serving`, or `settings` and `network`; copied
 * @return 0: it is there; -EAGAIN: it comes, or cannot be made yet (a->device is NULL: its name is
 *         still being taken away, or the device host is not up); -EEXIST: another device has its
 *         name; -ENOENT or -ENOTDIR: the host has no such directory; or another -errno
 */
int virtio_device_take(struct attachment *a, const struct virtio_device *wanted);

/* Tells that @p a has its device. */
void virtio_device_tell(struct attachment *a);

/* @p a no longer uses its device; the last one has it removed. */
void virtio_device_release(struct attachment *a);

/*
 * As virtio_device_release(), for an attachment that goes; called in each of its steps.
 *
 * @return true if there is nothing (more) to wait for: the device has gone, or somebody else uses
 * it
 */
bool virtio_device_leave(struct attachment *a);

struct virtio_device *virtio_device_find(const struct vm *vm, const struct attachment_kind *kind,
                                         const char *name);

/* Marks devices whose options are not those of this boot's token, or whose aperture is not that of
 * the configuration. */
void virtio_devices_mark_stale(struct vm *vm);

/* The VM is gone, with its devices. */
void virtio_devices_forget(struct vm *vm);

/* Frees all records, not the devices. */
void virtio_devices_done(struct vm *vm);

#endif
