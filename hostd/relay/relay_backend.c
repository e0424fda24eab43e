/* relay_backend: the process behind the relay, and those that take its place. */
#include "relay_backend.h"

#include "end.h"
#include "replay.h"

#include <stdio.h>
#include <string.h>
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

void relay_acknowledge(struct relay *relay)
{
    struct vhost_user_message message = {
        .request = relay->journal.asked.request,
        .flags = (relay->journal.asked.flags & VHOST_USER_FLAG_VERSION) | VHOST_USER_FLAG_REPLY,
        .size = sizeof(uint64_t), /* 0: it was done */
    };

    journal_note_answered(&relay->journal);
    passage_put(&relay->answer, &message);
}

void relay_answer_base(struct relay *relay, uint32_t number)
{
    struct vhost_user_message message = {.request = VHOST_USER_GET_VRING_BASE,
                                         .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
                                         .size = sizeof(struct vhost_user_vring_state)};
    struct vhost_user_vring_state state = {0};

    (void)vhost_user_read(&relay->journal.asked, 0, &state, sizeof(state));
    state.number = number;
    memcpy(message.payload, &state, sizeof(state));
    journal_note_answered(&relay->journal);
    passage_put(&relay->answer, &message);
}

void relay_refuse(struct relay *relay, const char *reason)
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

/* What a process that is gone did not say to the end, and what it was not told. Of half a message
 * of QEMU's the rest will come. */
static void drop_its_messages(struct relay *relay)
{
    if (!relay->answer.is_whole)
        passage_clear(&relay->answer);
    if (relay->question.is_whole)
        passage_clear(&relay->question);
    relay->has_next = false;
}

void relay_renew(struct relay *relay)
{
    const char *reason = NULL;
    int r;

    if (!may_renew(relay))
        relay_refuse(relay, "the guest's driver keeps moving its rings");
    (void)backend_end(&relay->backend);
    drop_its_messages(relay);
    r = relay_start_backend(relay);
    if (r == 0)
        r = replay_session(&relay->journal.session, &relay->aperture, relay->backend.fd, &reason);
    if (r < 0)
        relay_refuse(relay, reason ? reason : strerrordesc_np(-r));
}

/* QEMU waits for where a ring stopped. The next process never worked on it, and QEMU's own
 * virtiofsd ends if it is asked; what the one before had done is in the ring. */
static void answer_for_the_one_before(struct relay *relay)
{
    struct vhost_user_vring_state state = {0};

    (void)vhost_user_read(&relay->journal.asked, 0, &state, sizeof(state));
    if (replay_find_base(&relay->journal.session, state.index, &state.number) < 0)
        state.number = 0;
    relay_answer_base(relay, state.number);
    relay->may_hold = true;
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
        relay_acknowledge(relay);
    else if (relay->journal.is_asked && relay->journal.asked.request == VHOST_USER_GET_VRING_BASE)
        answer_for_the_one_before(relay);
    else if (relay->journal.is_asked)
        passage_put(&relay->question, &relay->journal.asked);
    return 0;
}

static void begin_second(struct relay *relay)
{
    const char *reason;
    int r = set_up_next(relay, &reason);

    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "relay: cannot set up a second %s: %s\n", relay->kind->name,
                      reason ? reason : strerrordesc_np(-r));
        (void)backend_end(&relay->backend);
        _exit(1);
    }
}

void relay_begin_next(struct relay *relay)
{
    if (!relay->kind->revives) {
        relay->second = true;
        relay->aperture.status_file = ""; /* it may be a successor's by now */
    }
    if (relay->journal.is_held) {
        relay->resumes_hold = true; /* relay_run() */
        return;
    }
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

int relay_revival_timeout(const struct relay *relay)
{
    int64_t left = relay->revival_ms - now_ms();

    if (relay->backend.fd >= 0 || relay->journal.is_held)
        return -1;
    return left > 0 ? (int)left : 0;
}

void relay_revive(struct relay *relay)
{
    const char *reason;
    int r = set_up_next(relay, &reason);

    if (r == 0)
        return;
    if (reason)
        relay_refuse(relay, reason);
    (void)dprintf(STDERR_FILENO, "relay: cannot start %s again: %s; will retry in %d ms\n",
                  relay->kind->name, strerrordesc_np(-r), relay->pause_ms);
    (void)backend_end(&relay->backend);
    relay_begin_next(relay);
}

void relay_replace(struct relay *relay)
{
    bool revives = relay->kind->revives && relay->has_served;
    int status = backend_end(&relay->backend);

    /* Do not report the second one's exit; the file may already belong to a newer relay. One that
     * never served at all would not the next time, and QEMU would wait for it. */
    if (relay->second || relay->journal.qemu < 0 || (relay->kind->revives && !revives))
        end_as(relay->second ? NULL : relay->end_file, status);
    if (revives)
        end_note(relay->end_file, status);
    else
        journal_note_ended(&relay->journal, status);
    /* What it was asked is asked again, what it was told is in the session. */
    drop_its_messages(relay);
    relay_begin_next(relay);
}
