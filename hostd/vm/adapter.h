/*
 * adapter: a virtio-net adapter on its way to a configured interface in the guest.
 *
 * As share.h: adapter_step() begins the next thing to do, and every answer leads back to it.
 */
#ifndef GUESTLINK_HOSTD_ADAPTER_H
#define GUESTLINK_HOSTD_ADAPTER_H

#include "vm.h"

#include "protocol/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum adapter_device {
    ADAPTER_DEVICE_ABSENT,
    ADAPTER_DEVICE_ADDING,
    ADAPTER_DEVICE_THERE,
    ADAPTER_DEVICE_REMOVING,
};

struct adapter {
    struct adapter *next;
    struct vm *vm;
    struct settings *settings; /* holds `config` */
    const struct config_network *config;
    char options[OPTIONS_SIZE]; /* of the device that there is */
    enum adapter_device device;
    bool wanted;
    bool failed;
    bool stale;      /* the device is of another token */
    bool asked;      /* CONFIGURE_NETWORK is outstanding */
    bool configured; /* by the guest, in this boot */
    bool iommu_platform;
    enum vm_device_state state;
    char *error;
    uint64_t asked_us;
    sd_event_source *timer; /* of the device phase */
};

struct adapters {
    struct adapter *first;
    size_t count;
};

/* Adds an adapter to be made. @p config lies in @p settings. @return 0 or -ENOMEM */
int adapter_new(struct vm *vm, struct settings *settings, const struct config_network *config);

struct adapter *adapter_find(struct vm *vm, const char *id);

/* It is wanted no more: has the guest give the interface up, removes the device, forgets it. */
void adapter_drop(struct adapter *adapter);

/* As their namesakes in share.h. */
void adapter_step(struct adapter *adapter);
void adapters_step(struct vm *vm);
void adapters_begin(struct vm *vm, bool same_boot);
void adapters_forget_devices(struct vm *vm);
bool adapters_are_settled(const struct vm *vm);
void adapters_done(struct vm *vm);

#endif
