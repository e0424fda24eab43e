/*
 * share: a directory of the host's on its way to a mount in the guest; see attachment.h.
 */
#ifndef GUESTLINK_HOSTD_SHARE_H
#define GUESTLINK_HOSTD_SHARE_H

#include "attachment.h"
#include "config/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct p9_share;

struct share {
    struct attachment attachment; /* the first: share_of() */
    struct config_share config;   /* owned */
    bool configured;              /* by the file, not at runtime */
    bool unsure;  /* in this boot it may be mounted: an earlier connection left that open */
    bool dropped; /* by a reload, and could not be unmounted: that is tried again */
    bool aside;   /* it is unmounted for the sake of one around it, and mounted again after that */
    enum policy_transport transport;
    struct p9_share *p9; /* 9P; virtiofs: attachment.device */
};

extern const struct attachment_kind share_kind;

static inline struct share *share_of(struct attachment *a)
{
    return (struct share *)a;
}

/* The next share behind @p share, or the first (NULL). @return NULL: there is none */
struct share *share_next(const struct vm *vm, struct share *share);

/* The share of that tag that is wanted; one that is going is not it. NULL: there is none. */
struct share *share_find(const struct vm *vm, const char *tag);

/* Adds a share to be made. @p config copied. @return 0, -EEXIST, -ENOBUFS (LIMITS_SHARES), -ENOMEM
 */
int share_new(struct vm *vm, const struct config_share *config, bool configured,
              struct share **ret_share);

/* What serves a device ended. @p restored  it was started again and the device keeps working */
void shares_lost(struct vm *vm, const char *tag, bool restored, const char *text);

/* Nothing serves a device any more, nor will: its aperture cannot be kept, for @p reason. */
void shares_refused(struct vm *vm, const char *tag, const char *reason);

/* Devices whose aperture is not the configuration's, for that changed, are made again. */
void shares_renew(struct vm *vm);

/* It was to go, and stays in use: for good if somebody asked, who hears of it (the caller finishes
 * the operation); else until the next occasion. */
static inline void share_keep(struct share *share)
{
    struct attachment *a = &share->attachment;

    share->dropped = share->dropped || (!a->wanted && !a->operation);
    a->wanted = true;
    a->state = VM_DEVICE_IN_USE;
    a->operation = NULL;
}

/* In share_mount.c, as attachment_kind has them: the guest is asked to mount and to unmount it. */
int share_mount(struct attachment *a);
int share_unmount(struct attachment *a);

#endif
