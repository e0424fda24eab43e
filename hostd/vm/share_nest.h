/*
 * share nest: shares whose targets lie in each other. A guest mounts them outermost first and
 * unmounts them innermost first, whatever their order in the configuration; and what ends the mount
 * of one ends the mounts below it.
 */
#ifndef GUESTLINK_HOSTD_SHARE_NEST_H
#define GUESTLINK_HOSTD_SHARE_NEST_H

#include "share.h"

/*
 * attachment_kind.must_wait: a share waits for those around it, and for what is mounted below it,
 * which it would hide: that is unmounted, and mounted again when this one is.
 */
bool share_nest_must_wait(struct attachment *a);

/* attachment_kind.is_needed: what is mounted below a share that goes is unmounted before it. */
bool share_nest_is_needed(struct attachment *a);

/* A wanted share that is mounted below @p share's target, or being mounted; NULL: none. */
const struct share *share_nest_below(const struct share *share);

/* @p share's mount is lost: those below it are, too, and are mounted again after it. */
void share_nest_lose(struct share *share);

/* @p share, which the guest was to unmount for the sake of those around it, stays, for @p reason:
 * they stay as they are, too. */
void share_nest_keep(struct share *share, int error, const char *reason);

#endif
