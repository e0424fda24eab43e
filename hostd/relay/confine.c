/* confine: what becomes of a message of QEMU's to a device that has an aperture. */
#include "confine.h"

#include "rings.h"

/* The table that QEMU sent becomes the process's; an answer to it is one to QEMU. */
static enum confine_verdict exchange(struct vhost_user_message *message,
                                     struct vhost_user_message *table)
{
    table->flags = message->flags;
    vhost_user_close(message);
    *message = *table;
    return CONFINE_PASS;
}

/* Memory or a ring is where it was not before: what the process can reach is worked out again. */
static enum confine_verdict move(struct aperture *aperture, const struct session *session,
                                 bool is_table, struct vhost_user_message *message,
                                 struct vhost_user_message *ret_before, const char **ret_reason)
{
    struct vhost_user_message table_message;
    struct memory_table table;

    if (aperture_find(aperture, session, true, &table, ret_reason) < 0)
        return CONFINE_REFUSE;
    if (!memory_table_holds(&table, &aperture->told))
        return CONFINE_RENEW;
    *ret_reason = "QEMU placed a ring outside the guest's memory";
    if (!is_table && aperture_translate(session, message) < 0)
        return CONFINE_REFUSE;
    /* A dma-buf holds the pages that the memory had when it was made, which QEMU may have given
     * back since. A device that starts gets it again; one that runs may be at work on it. */
    if (memory_table_holds(&aperture->told, &table) &&
        !(is_table && aperture->is_enforced && !rings_are_running(session)))
        return is_table ? CONFINE_ANSWER : CONFINE_PASS;
    if (aperture_hand_over(aperture, &table, &table_message, ret_reason) < 0)
        return CONFINE_REFUSE;
    if (is_table)
        return exchange(message, &table_message);
    *ret_before = table_message;
    return CONFINE_PASS;
}

enum confine_verdict confine_message(struct aperture *aperture, const struct session *session,
                                     enum filter_way way, struct vhost_user_message *message,
                                     struct vhost_user_message *ret_before, const char **ret_reason)
{
    ret_before->request = 0;
    switch (way) {
    case FILTER_MEMORY:
    case FILTER_TRANSLATE:
        return move(aperture, session, way == FILTER_MEMORY, message, ret_before, ret_reason);
    case FILTER_PASS:
        filter_down(message);
        return CONFINE_PASS;
    case FILTER_ANSWER:
        return CONFINE_ANSWER;
    case FILTER_REFUSE:
        break;
    }
    return CONFINE_REFUSE;
}
