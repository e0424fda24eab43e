/*
 * device aperture: how much of the guest's memory the process behind a virtio device can reach: of
 * a share's and of passt's, what its device host says; other adapters are part of their VMM, which
 * has all of it.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_APERTURE_H
#define GUESTLINK_HOSTD_DEVICE_APERTURE_H

#include "config/config.h"

#include <stdbool.h>

struct attachment_kind;
struct virtio_device;
struct vm;

/* What a share's device of this boot gets: the configuration's, or "off" where the pool confines
 * nothing. */
enum config_aperture device_aperture_mode(const struct vm *vm);

/* True if a process of ours serves the device, which can have an aperture. */
bool device_aperture_applies(const struct virtio_device *device);

/* Why no such device of this boot can be confined although the configuration requires it, and
 * what to do; static. NULL: nothing is known to be in the way */
const char *device_aperture_obstacle(const struct vm *vm);

/* Asks the device host. @return true if it says something else than before, or the first thing */
bool device_aperture_look(struct virtio_device *device);

/* Its driver has started, as far as the guest says: asks as device_aperture_look(). @return true if
 * what serves it has yet to say what it can reach; the device is told when it does */
bool device_aperture_await(struct virtio_device *device);

/* The device was told, with what is known of its aperture. Of one that is not confined, tells why,
 * once for a VM, until its devices are confined or the reason is another. */
void device_aperture_told(struct virtio_device *device);

/* False if the configuration requires more than there is. The device host does not make such a
 * device; this is for a relay that says otherwise later. */
bool device_aperture_is_kept(const struct virtio_device *device);

/* What uses it fails, and it goes. */
void device_aperture_refuse(struct virtio_device *device);

/* The device host may say something else of it. */
void device_aperture_changed(struct virtio_device *device);

/*
 * Of each device whose driver was started again: once the guest of this boot has answered after
 * that, its kernel is the one that reported the pool, and what serves the device may have the pool.
 * An answer of before would say nothing: the guest may have been reset, or run another kernel.
 */
void device_apertures_confirm(struct vm *vm);

#endif
