/*
 * qmp command: the commands that wait for QEMU's answers, each with its deadline.
 */
#ifndef GUESTLINK_HOSTD_QMP_COMMAND_H
#define GUESTLINK_HOSTD_QMP_COMMAND_H

#include "base/json_link.h"
#include "qmp.h"

struct qmp_command;

struct qmp_commands {
    struct qmp_command *first; /* the open ones, in the order in which they were sent */
    int64_t last_id;           /* of all so far */
};

/* As qmp_execute(), over @p link. */
int qmp_commands_send(struct qmp_commands *commands, sd_event *event, struct json_link *link,
                      const char *name, struct json_object *arguments, uint32_t timeout_ms,
                      qmp_reply_fn fn, void *userdata);

/*
 * Finds the command that @p message answers, and finishes it.
 *
 * @param error  the message's member of that name, an object; NULL if it has none
 * @return NULL, also for an answer that came too late; else what is wrong with it
 */
const char *qmp_commands_answer(struct qmp_commands *commands, struct json_object *message,
                                struct json_object *error);

/* Finishes those that are open now with an error: what their callbacks begin goes on. */
void qmp_commands_finish(struct qmp_commands *commands, int error, const char *text);

#endif
