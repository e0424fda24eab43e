/*
 * confine: what becomes of a message of QEMU's to a device that has an aperture.
 */
#ifndef GUESTLINK_HOSTD_RELAY_CONFINE_H
#define GUESTLINK_HOSTD_RELAY_CONFINE_H

#include "aperture.h"
#include "filter.h"

enum confine_verdict {
    CONFINE_PASS,   /* it is passed on as it is now */
    CONFINE_ANSWER, /* the process is not told; the relay answers, if that is asked for */
    CONFINE_RENEW, /* as that, but the process has what it must not have any more: another one takes
                    * its place and is told the session */
    CONFINE_REFUSE, /* there can be no device */
};

/*
 * Decides, and changes the message into what the process is told.
 *
 * @param way         filter_judge()'s; not FILTER_REFUSE
 * @param session     has the message already
 * @param message     its descriptors are exchanged, too
 * @param ret_before  of CONFINE_PASS: what the process is told before; `request` 0: nothing. Its
 *                    descriptors are the caller's
 * @param ret_reason  of CONFINE_REFUSE; static
 */
enum confine_verdict confine_message(struct aperture *aperture, const struct session *session,
                                     enum filter_way way, struct vhost_user_message *message,
                                     struct vhost_user_message *ret_before,
                                     const char **ret_reason);

#endif
