/*
 * share device: a virtiofs device of a VM. Equal shares (path and options) use one.
 */
#ifndef GUESTLINK_HOSTD_SHARE_DEVICE_H
#define GUESTLINK_HOSTD_SHARE_DEVICE_H

#include "protocol/options.h"

#include <stdbool.h>
#include <stdint.h>

struct vm;
struct share;

enum share_device_state {
    SHARE_DEVICE_ADDING,
    SHARE_DEVICE_THERE,
    SHARE_DEVICE_REMOVING,
};

struct share_device {
    struct share_device *next;
    struct vm *vm;
    char *tag;
    char *path;
    bool read_only;
    char options[OPTIONS_SIZE];
    enum share_device_state state;
    unsigned users;
    bool stale; /* of another token, or without its server: goes as soon as nobody uses it */
    bool created;
    bool iommu_platform;
    uint64_t asked_us;
    char *remark; /* what a person should know although it worked, or NULL */
};

/*
 * Gives @p share the device that it needs: an equal one that is there, or a new one that the device
 * host is asked for.
 *
 * @return 0 with share->device set, in whatever state it is; -EAGAIN: its tag is still being taken
 *         away, or the device host is not up yet; -EEXIST: another device has its tag; -ENOENT or
 *         -ENOTDIR: the host has no such directory; or another -errno
 */
int share_device_take(struct share *share);

/*
 * As share_device_release(), for a share that goes: it is stepped once more when the device has
 * gone.
 *
 * @return true if there is nothing (more) to wait for
 */
bool share_device_leave(struct share *share);

/* @p share no longer uses its device; the last one has it removed. */
void share_device_release(struct share *share);

/* Marks devices whose options are not those of this boot's token. */
void share_devices_mark_stale(struct vm *vm);

/* Begins to remove it if it is stale or without users, and nothing else is under way. */
void share_device_step(struct share_device *device);

/* Frees the record, not the device. Users lose it. */
void share_device_forget(struct share_device *device);

/* Frees all records, not the devices. */
void share_devices_done(struct vm *vm);

struct share_device *share_device_find(struct vm *vm, const char *tag);
unsigned share_device_count(const struct vm *vm);

#endif
