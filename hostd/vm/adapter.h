/*
 * adapter: a virtio-net adapter on its way to a configured interface in the guest; see
 * attachment.h.
 */
#ifndef GUESTLINK_HOSTD_ADAPTER_H
#define GUESTLINK_HOSTD_ADAPTER_H

#include "attachment.h"

struct adapter {
    struct attachment attachment; /* the first: adapter_of() */
    struct settings *settings;    /* holds `config` */
    const struct config_network *config;
};

extern const struct attachment_kind adapter_kind;

static inline struct adapter *adapter_of(struct attachment *a)
{
    return (struct adapter *)a;
}

/* Adds an adapter to be made. @p config lies in @p settings. @return 0 or -ENOMEM */
int adapter_new(struct vm *vm, struct settings *settings, const struct config_network *config);

/* What serves an adapter's device ended. @param restored  another one serves it */
void adapters_lost(struct vm *vm, const char *id, bool restored, const char *text);

/* Nothing serves it any more, nor will: its aperture cannot be kept, for @p reason. */
void adapters_refused(struct vm *vm, const char *id, const char *reason);

/* Devices whose aperture is not the configuration's, for that changed, are made again. */
void adapters_renew(struct vm *vm);

#endif
