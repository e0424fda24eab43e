/*
 * relay: passes messages between QEMU and the device's process, and puts another one in the place
 * of one that died.
 */
#include "relay.h"

#include "confine.h"
#include "descriptor.h"
#include "end.h"
#include "filter.h"
#include "replay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int relay_start_backend(struct relay *relay)
{
    const struct backend_spec spec = {
        .kind = relay->kind,
        .socket = relay->socket,
        .argv = relay->argv,
        .jail = relay->jail.place ? &relay->jail : NULL,
        .stubborn = relay->second,
    };

    relay->started_ms = now_ms();
    return backend_start(&spec, &relay->backend);
}

static bool complain(const char *who, const char *what)
{
    (void)dprintf(STDERR_FILENO, "relay: %s %s\n", who, what);
    return false;
}

/* Why the connection to @p who ends. @return false */
static bool lost(const char *who, int error)
{
    if (error == -EPROTO)
        return complain(who, "said what vhost-user does not have; its connection is closed");
    return false;
}

/* To QEMU: one thing at a time. */
static bool is_listening(const struct relay *relay)
{
    return relay->backend.fd >= 0 && !relay->question.is_whole && !relay->has_next &&
           !relay->answer.is_whole && !relay->journal.is_asked;
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

/* The setting was made, by whom or when ever; now QEMU is told. */
static void acknowledge(struct relay *relay)
{
    struct vhost_user_message message = {
        .request = relay->journal.asked.request,
        .flags = (relay->journal.asked.flags & VHOST_USER_FLAG_VERSION) | VHOST_USER_FLAG_REPLY,
        .size = sizeof(uint64_t), /* 0: it was done */
    };

    journal_note_answered(&relay->journal);
    passage_put(&relay->answer, &message);
}

_Noreturn static void refuse(struct relay *relay, const char *reason)
{
    aperture_refuse(&relay->aperture, reason);
    (void)backend_end(&relay->backend);
    _exit(RELAY_EXIT_REFUSED);
}

static bool may_renew(struct relay *relay)
{
    int64_t now = now_ms();

    if (relay->renewals == 0 || now - relay->renewals_since_ms >= RELAY_RENEWALS_MS) {
        relay->renewals = 0;
        relay->renewals_since_ms = now;
    }
    return ++relay->renewals <= RELAY_RENEWALS_MAX;
}

/* Another process of the same kind, which has never had what the present one has. */
static void renew_backend(struct relay *relay)
{
    const char *reason = NULL;
    int r;

    if (!may_renew(relay))
        refuse(relay, "the guest's driver moves its rings all the time");
    (void)backend_end(&relay->backend);
    r = relay_start_backend(relay);
    if (r == 0)
        r = replay_session(&relay->journal.session, &relay->aperture, relay->backend.fd, &reason);
    if (r < 0)
        refuse(relay, reason ? reason : strerrordesc_np(-r));
}

/* A message of QEMU's for a confined process. */
static void take_confined(struct relay *relay)
{
    struct vhost_user_message *message = &relay->question.message, before;
    const char *reason;
    enum filter_way way = filter_judge(message, &reason);

    if (way == FILTER_REFUSE)
        refuse(relay, reason);
    journal_note_message(&relay->journal, message);
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
        renew_backend(relay);
        break;
    case CONFINE_ANSWER:
        break;
    case CONFINE_REFUSE:
        refuse(relay, reason);
    }
    passage_clear(&relay->question);
    if (relay->journal.is_asked)
        acknowledge(relay);
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
        return complain("QEMU", "sent what vhost-user does not have; its connection is closed");
    }
    journal_note_message(&relay->journal, &relay->question.message);
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
        return complain("QEMU", "left a message half said; its connection is closed");
    if (relay->answer.is_whole && is_late(&relay->answer))
        return complain("QEMU", "does not read its answer; its connection is closed");
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
            return complain(relay->kind->name, "said what nobody had asked; it is ended");
        }
        journal_note_answered(&relay->journal);
        relay->has_served = true;
    }
    if (r < 0)
        return lost(relay->kind->name, r);
    if (!answer->is_whole && is_late(answer))
        return complain(relay->kind->name, "left an answer half said; it is ended");
    if (relay->question.is_whole && is_late(&relay->question))
        return complain(relay->kind->name, "does not read what QEMU says; it is ended");
    return true;
}

/* One that was told all that the one before it was. @return 0 or -errno */
static int set_up_next(struct relay *relay, const char **ret_reason)
{
    int r;

    *ret_reason = NULL;
    relay->aperture.is_enforced |= relay->journal.is_enforced;
    r = relay_start_backend(relay);
    if (r == 0)
        r = replay_session(&relay->journal.session, &relay->aperture, relay->backend.fd,
                           ret_reason);
    if (r < 0)
        return r;
    /* What the first one took, or was never told, this one has by now. */
    if (relay->journal.is_asked && relay->journal.is_setting)
        acknowledge(relay);
    else if (relay->journal.is_asked)
        passage_put(&relay->question, &relay->journal.asked);
    return 0;
}

static void begin_second(struct relay *relay)
{
    const char *reason;
    int r;

    relay->second = true;
    relay->aperture.status_file = ""; /* it may be a successor's by now */
    r = set_up_next(relay, &reason);
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "relay: no second %s could be set up: %s\n", relay->kind->name,
                      reason ? reason : strerrordesc_np(-r));
        (void)backend_end(&relay->backend);
        _exit(1);
    }
}

void relay_begin_next(struct relay *relay)
{
    if (!relay->kind->revives) {
        begin_second(relay);
        return;
    }
    relay->has_served = true; /* or its predecessor, in another process */
    if (relay->pause_ms == 0 || now_ms() - relay->started_ms >= RELAY_CALM_MS)
        relay->pause_ms = RELAY_PAUSE_MS;
    relay->revival_ms = now_ms() + relay->pause_ms;
    if (relay->pause_ms < RELAY_PAUSE_MAX_MS)
        relay->pause_ms *= 2;
}

/* One that does not come up in turn is another that ended. */
static void revive(struct relay *relay)
{
    const char *reason;
    int r = set_up_next(relay, &reason);

    if (r == 0)
        return;
    if (reason)
        refuse(relay, reason);
    (void)dprintf(STDERR_FILENO, "relay: cannot start %s again: %s; will retry in %d ms\n",
                  relay->kind->name, strerrordesc_np(-r), relay->pause_ms);
    (void)backend_end(&relay->backend);
    relay_begin_next(relay);
}

/* The process that the daemon watches ends as the first one did, unless it revives. */
static void replace_backend(struct relay *relay)
{
    bool revives = relay->kind->revives && relay->has_served;
    int status = backend_end(&relay->backend);

    /* The second one's end is nobody's news, and the file may be a successor's by now. One that
     * never served at all would not the next time, and QEMU would wait for it. */
    if (relay->second || relay->journal.qemu < 0 || (relay->kind->revives && !revives))
        end_as(relay->second ? NULL : relay->end_file, status);
    if (revives)
        end_note(relay->end_file, status);
    else
        journal_note_ended(&relay->journal, status);
    /* What it did not say to the end is asked again, what it was not told is in the session. */
    if (!relay->answer.is_whole)
        passage_clear(&relay->answer);
    if (relay->question.is_whole)
        passage_clear(&relay->question);
    relay->has_next = false;
    relay_begin_next(relay);
}

/* As far as they are read over there. That one is not there any more is noticed by itself. */
static void pass_on(struct relay *relay)
{
    if (relay->aperture.is_enforced) /* before virtiofsd has what makes it so */
        journal_note_enforced(&relay->journal);
    (void)passage_write(&relay->question, relay->backend.fd);
    if (!relay->question.is_whole && relay->has_next) {
        relay->has_next = false;
        passage_put(&relay->question, &relay->next);
        (void)passage_write(&relay->question, relay->backend.fd);
    }
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
    int64_t left = relay->revival_ms - now_ms();
    int wait = earlier(passage_timeout(&relay->question), passage_timeout(&relay->answer));

    return relay->backend.fd >= 0 ? wait : earlier(wait, left > 0 ? (int)left : 0);
}

/* What is under way is to be written; else the next is to be read. */
static short wanted(bool reads, const struct passage *writes)
{
    return (short)((reads ? POLLIN : 0) | (writes->is_whole ? POLLOUT : 0));
}

void relay_run(struct relay *relay)
{
    for (;;) {
        bool is_there = relay->journal.qemu >= 0;

        if (relay->backend.fd < 0 && now_ms() >= relay->revival_ms)
            revive(relay);
        struct pollfd fds[] = {
            /* with QEMU, the end of the connection is what counts */
            {.fd = is_there ? -1 : relay->backend.pidfd, .events = POLLIN},
            {.fd = relay->backend.fd},
            {.fd = is_there ? relay->journal.qemu : RELAY_LISTENER},
            /* without a keeper and without QEMU, nobody will ever come */
            {.fd = is_there ? -1 : relay->journal.keeper, .events = 0},
        };

        pass_on(relay);
        fds[1].events = wanted(!relay->answer.is_whole, &relay->question);
        fds[2].events = wanted(is_listening(relay), &relay->answer);
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout(relay)) < 0)
            continue;
        if (is_there ? relay->backend.fd >= 0 && !serve_backend(relay, fds[1].revents)
                     : fds[0].revents || fds[1].revents) {
            replace_backend(relay);
        } else if (!is_there && fds[2].revents) {
            meet_qemu(relay);
        } else if (fds[3].revents || (is_there && !serve_qemu(relay, fds[2].revents))) {
            (void)backend_end(&relay->backend);
            return;
        }
    }
}
