/*
 * aperture: the part of a guest's memory that its device's process can reach, and nothing else of
 * it: the pool that the token names, and the pages of the device's own rings.
 *
 * What it is follows from the token and from the session alone, so that the relay that takes over
 * comes to the same. A region of it that the process is given is a separate dma-buf (udmabuf.h),
 * or, where that cannot be had for a reason that stays, QEMU's own file: then the process is told
 * of no more than the aperture, and could take more. Which of both is found out when the memory is
 * first handed over; what was enforced once is enforced or ends.
 *
 * A process cannot be made to give back what it has. When its rings are somewhere else than before,
 * or the memory is, another process must take its place.
 */
#ifndef GUESTLINK_HOSTD_RELAY_APERTURE_H
#define GUESTLINK_HOSTD_RELAY_APERTURE_H

#include "../base/aperture_status.h"
#include "memory_table.h"
#include "session.h"

#include <stdbool.h>

struct aperture {
    uint64_t base,
        size;         /* of the pool, in guest-physical addresses; size 0: there is no aperture */
    int device;       /* of dma-bufs; negative: an error of udmabuf_open() */
    uint64_t piece;   /* a region is no larger */
    bool is_required; /* without dma-bufs there is no device */
    bool is_enforced; /* a process got dma-bufs */
    const char *obstacle;          /* why it gets none, if so; static */
    const char *status_file;       /* or "": nobody is told */
    struct aperture_status status; /* told last */
    struct aperture_status before; /* before the daemon was asked */
    uint64_t question;             /* that it was asked; 0: none */
    struct memory_table told;      /* what the present process has; its files may be closed */
};

#define APERTURE_NULL                                                                              \
    {                                                                                              \
        .device = -1, .status_file = ""                                                            \
    }

/*
 * Finds out whether there is an aperture, and opens what it needs.
 *
 * @param options      the device's option string, verbatim
 * @param mode         auto: enforced if it can be, else narrowed; require: enforced or nothing; off
 * @param status_file  outlives the aperture
 * @param obstacle     why the kernel could not keep the process out, whatever it is handed; static,
 *                     or NULL
 * @return 0: see aperture_is_in_force(); -EINVAL: options or mode are none; -ENOTSUP: required, and
 *         not to be had. After an error aperture_refuse() is called already
 */
int aperture_open(struct aperture *aperture, const char *options, const char *mode,
                  const char *status_file, const char *obstacle);

bool aperture_is_in_force(const struct aperture *aperture);

/*
 * Works out what a process is given.
 *
 * @param stopped     with those rings that are stopped and that it has: it need not give them up
 * @param ret_table   its files are the session's
 * @param ret_reason  on failure: whose fault it is; static
 * @return 0 or -errno: there can be no device
 */
int aperture_find(const struct aperture *aperture, const struct session *session, bool stopped,
                  struct memory_table *ret_table, const char **ret_reason);

/*
 * Makes a table into the message that gives it to a process, and tells the daemon.
 *
 * @param ret_message  whose descriptors are the caller's, for vhost_user_close()
 * @param ret_reason   on failure; static
 * @return 0 or -errno: there can be no device
 */
int aperture_hand_over(struct aperture *aperture, const struct memory_table *table,
                       struct vhost_user_message *ret_message, const char **ret_reason);

/*
 * Translates a SET_VRING_ADDR into guest-physical addresses, without a log.
 *
 * @return 0; -EFAULT: it is in none of QEMU's regions
 */
int aperture_translate(const struct session *session, struct vhost_user_message *message);

/*
 * Asks the daemon whether the guest that reported the pool still runs (base/aperture_status.h).
 *
 * @param question  0: the one of before is void
 */
void aperture_ask(struct aperture *aperture, uint64_t question);

/* True if the daemon said so after it was asked. */
bool aperture_is_confirmed(const struct aperture *aperture);

/* Says on stderr and to the daemon why there is no device. @param reason  static */
void aperture_refuse(struct aperture *aperture, const char *reason);

#endif
