/* relay: passes messages between QEMU and the device's process. */
#include "relay.h"

#include "confine.h"
#include "descriptor.h"
#include "filter.h"
#include "relay_backend.h"
#include "relay_hold.h"
#include "replay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool complain(const char *who, const char *what)
{
    (void)dprintf(STDERR_FILENO, "relay: %s %s\n", who, what);
    return false;
}

/* Why the connection to @p who ends. @return false */
static bool lost(const char *who, int error)
{
    if (error == -EPROTO)
        return complain(who, "sent a message that vhost-user does not define; closing its "
                             "connection");
    return false;
}

/* To QEMU: one thing at a time. */
static bool is_listening(const struct relay *relay)
{
    return (relay->backend.fd >= 0 || relay->journal.is_held) && !relay->question.is_whole &&
           !relay->has_next && !relay->answer.is_whole && !relay->journal.is_asked;
}

static bool is_late(const struct passage *passage)
{
    return passage_timeout(passage) == 0;
}

static bool is_sound(const struct vhost_user_message *question)
{
    return (question->flags & ~VHOST_USER_FLAG_NEED_REPLY) == VHOST_USER_VERSION &&
           question->request != VHOST_USER_SET_BACKEND_REQ_FD && descriptors_may_go(question);
}

/* That connection would go past the relay, with descriptors in both directions. A virtiofs device
 * has no use for it but with DAX, which QEMU does not have. */
static void hide_backend_channel(struct vhost_user_message *answer)
{
    uint64_t features;

    if (answer->request != VHOST_USER_GET_PROTOCOL_FEATURES || answer->size != sizeof(features))
        return;
    memcpy(&features, answer->payload, sizeof(features));
    features &= ~(VHOST_USER_FEATURE_BACKEND_REQ | VHOST_USER_FEATURE_BACKEND_SEND_FD);
    memcpy(answer->payload, &features, sizeof(features));
}

/* Changes an answer into QEMU's. @return false: it is none */
static bool take_answer(const struct relay *relay, struct vhost_user_message *answer)
{
    const struct vhost_user_message *asked = &relay->journal.asked;

    if (!relay->journal.is_asked)
        return false;
    if (aperture_is_in_force(&relay->aperture))
        return filter_up(asked, answer);
    if (answer->request != asked->request ||
        (answer->flags & ~VHOST_USER_FLAG_NEED_REPLY) !=
            (VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY) ||
        !descriptors_may_come_back(answer))
        return false;
    hide_backend_channel(answer);
    return true;
}

/* What waits in a ring that goes on was announced to the process that ended, and to no other. */
static void note(struct relay *relay, const struct vhost_user_message *message)
{
    journal_note_message(&relay->journal, message);
    if (relay->second && message->request == VHOST_USER_SET_VRING_KICK)
        replay_announce(message);
}

/* A message of QEMU's for a confined process. */
static void take_confined(struct relay *relay)
{
    struct vhost_user_message *message = &relay->question.message, before;
    const char *reason;
    enum filter_way way = filter_judge(message, &reason);

    if (way == FILTER_REFUSE)
        relay_refuse(relay, reason);
    note(relay, message);
    if (relay->journal.is_held) {
        relay_hold_take(relay);
        return;
    }
    switch (confine_message(&relay->aperture, &relay->journal.session, way, message, &before,
                            &reason)) {
    case CONFINE_PASS:
        relay->has_next = before.request != 0;
        if (relay->has_next) {
            relay->next = *message;
            *message = before;
        }
        return;
    case CONFINE_RENEW:
        relay_renew(relay);
        break;
    case CONFINE_ANSWER:
        break;
    case CONFINE_REFUSE:
        relay_refuse(relay, reason);
    }
    passage_clear(&relay->question);
    if (relay->journal.is_asked)
        relay_acknowledge(relay);
}

/* @return false: it is none */
static bool take_question(struct relay *relay)
{
    if (aperture_is_in_force(&relay->aperture)) {
        take_confined(relay);
        return true;
    }
    if (!is_sound(&relay->question.message)) {
        passage_clear(&relay->question);
        return complain("QEMU", "sent a message that vhost-user does not define; closing its "
                                "connection");
    }
    note(relay, &relay->question.message);
    return true;
}

/* QEMU's side: what it says is read, if nothing of it is under way. @return false at its end */
static bool serve_qemu(struct relay *relay, short events)
{
    struct passage *question = &relay->question;
    int r = 0;

    if (is_listening(relay) && events & POLLIN)
        r = passage_read(question, relay->journal.qemu);
    else if (events & (POLLHUP | POLLERR))
        return false;
    if (r > 0 && !take_question(relay))
        return false;
    if (r < 0)
        return lost("QEMU", r);
    if (!question->is_whole && is_late(question))
        return complain("QEMU", "sent an incomplete message; closing its connection");
    if (relay->answer.is_whole && is_late(&relay->answer))
        return complain("QEMU", "does not read its answer; closing its connection");
    return true;
}

/* The process's side, likewise: what it says must be the answer. @return false at its end */
static bool serve_backend(struct relay *relay, short events)
{
    struct passage *answer = &relay->answer;
    int r = 0;

    if (!answer->is_whole && events & POLLIN)
        r = passage_read(answer, relay->backend.fd);
    else if (events & (POLLHUP | POLLERR))
        return false;
    if (r > 0) {
        if (!take_answer(relay, &answer->message)) {
            passage_clear(answer);
            return complain(relay->kind->name, "sent an answer without a question; stopping it");
        }
        relay->has_served = true;
        if (relay_hold_is_due(relay))
            relay_hold_begin(relay);
        else
            journal_note_answered(&relay->journal);
    }
    if (r < 0)
        return lost(relay->kind->name, r);
    if (!answer->is_whole && is_late(answer))
        return complain(relay->kind->name, answer->message.received > 0
                                               ? "sent an incomplete answer; stopping it"
                                               : "does not answer QEMU; stopping it");
    if (relay->question.is_whole && is_late(&relay->question))
        return complain(relay->kind->name, "does not read QEMU's messages; stopping it");
    return true;
}

/* As far as they are read over there. That one is not there any more is noticed by itself. */
static void pass_on(struct relay *relay)
{
    bool had_question = relay->question.is_whole;

    if (relay->aperture.is_enforced) /* before virtiofsd has what makes it so */
        journal_note_enforced(&relay->journal);
    (void)passage_write(&relay->question, relay->backend.fd);
    if (!relay->question.is_whole && relay->has_next) {
        relay->has_next = false;
        passage_put(&relay->question, &relay->next);
        (void)passage_write(&relay->question, relay->backend.fd);
    }
    if (had_question && !relay->question.is_whole && relay->journal.is_asked)
        passage_await(&relay->answer);
    if (relay->journal.qemu >= 0)
        (void)passage_write(&relay->answer, relay->journal.qemu);
}

static void meet_qemu(struct relay *relay)
{
    journal_note_qemu(&relay->journal, accept4(RELAY_LISTENER, NULL, NULL, SOCK_CLOEXEC));
}

static int earlier(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int timeout(const struct relay *relay)
{
    return earlier(earlier(passage_timeout(&relay->question), passage_timeout(&relay->answer)),
                   earlier(relay_revival_timeout(relay), relay_hold_timeout(relay)));
}

/* What is under way is to be written; else the next is to be read. */
static short wanted(bool reads, const struct passage *writes)
{
    return (short)((reads ? POLLIN : 0) | (writes->is_whole ? POLLOUT : 0));
}

static void begin_hold_if_due(struct relay *relay)
{
    relay->may_hold = false;
    if (relay_hold_is_due(relay))
        relay_hold_begin(relay);
}

void relay_run(struct relay *relay)
{
    for (;;) {
        bool is_there = relay->journal.qemu >= 0;

        if (relay_revival_timeout(relay) == 0)
            relay_revive(relay);
        if (relay->may_hold)
            begin_hold_if_due(relay);
        if (relay->resumes_hold)
            relay_hold_resume(relay);
        if (relay->journal.is_held)
            relay_hold_look(relay);
        struct pollfd fds[] = {
            /* with QEMU, the end of the connection is what counts */
            {.fd = is_there ? -1 : relay->backend.pidfd, .events = POLLIN},
            {.fd = relay->backend.fd},
            {.fd = is_there ? relay->journal.qemu : RELAY_LISTENER},
            /* without a keeper and without QEMU, nobody will ever come */
            {.fd = is_there ? -1 : relay->journal.keeper, .events = 0},
            {.fd = relay->watch, .events = POLLIN},
        };

        pass_on(relay);
        fds[1].events = wanted(!relay->answer.is_whole, &relay->question);
        fds[2].events = wanted(is_listening(relay), &relay->answer);
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout(relay)) < 0)
            continue;
        if (is_there ? relay->backend.fd >= 0 && !serve_backend(relay, fds[1].revents)
                     : fds[0].revents || fds[1].revents) {
            relay_replace(relay);
        } else if (!is_there && fds[2].revents) {
            meet_qemu(relay);
        } else if (fds[3].revents || (is_there && !serve_qemu(relay, fds[2].revents))) {
            (void)backend_end(&relay->backend);
            return;
        }
    }
}
