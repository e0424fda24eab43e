/* relay_hold: a confined device whose rings have all stopped. */
#include "relay_hold.h"

#include "freeze.h"
#include "relay_backend.h"
#include "replay.h"
#include "rings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the question to the daemon */

static void stop_asking(struct relay *relay)
{
    if (relay->watch >= 0)
        (void)close(relay->watch);
    relay->watch = -1;
    relay->ask_ms = 0;
    aperture_ask(&relay->aperture, 0);
}

/* Who watches first, misses no answer. @return a descriptor, or -errno: there are many of root's
 * already, and the answer is looked for (RELAY_HOLD_LOOK_MS) */
static int watch_folder(const char *file)
{
    char folder[PATH_MAX];
    const char *end = strrchr(file, '/');
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    (void)snprintf(folder, sizeof(folder), "%.*s", end ? (int)(end - file) : 1, end ? file : ".");
    if (fd >= 0 && inotify_add_watch(fd, folder, IN_MOVED_TO | IN_ONLYDIR) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd < 0 ? -errno : fd;
}

/* A number that nobody has confirmed: an answer to an earlier question is none to this one. */
static void ask(struct relay *relay)
{
    uint64_t number = 0;

    relay->ask_ms = 0;
    if (!relay->aperture.status_file[0]) /* the daemon knows of no such device any more */
        return;
    relay->watch = watch_folder(relay->aperture.status_file);
    while (number == 0)
        if (getrandom(&number, sizeof(number), 0) < 0)
            relay_refuse(relay, "cannot get a random number from the kernel");
    aperture_ask(&relay->aperture, number);
}

int relay_hold_timeout(const struct relay *relay)
{
    int64_t left = relay->ask_ms - now_ms();

    if (relay->ask_ms == 0)
        return relay->aperture.question != 0 && relay->watch < 0 ? RELAY_HOLD_LOOK_MS : -1;
    return left > 0 ? (int)left : 0;
}

/* ---- QEMU's messages meanwhile */

/* A ring that was not worked on is where QEMU put it. */
static void answer_base(struct relay *relay)
{
    struct vhost_user_vring_state state = {0}, base = {0};
    const struct session_entry *entry;

    (void)vhost_user_read(&relay->journal.asked, 0, &state, sizeof(state));
    entry = session_find(&relay->journal.session, VHOST_USER_SET_VRING_BASE, state.index);
    if (entry)
        (void)vhost_user_read(&entry->message, 0, &base, sizeof(base));
    relay_answer_base(relay, base.number);
}

static void answer(struct relay *relay)
{
    if (!relay->journal.is_asked)
        return;
    if (relay->journal.asked.request == VHOST_USER_GET_VRING_BASE)
        answer_base(relay);
    else if (vhost_user_asks(relay->journal.asked.request))
        relay_refuse(relay, "QEMU queries the device's features while it has no driver");
    else
        relay_acknowledge(relay);
}

/* The process that was stopped hears what it missed; a successor hears all. */
static void go_on(struct relay *relay)
{
    const char *reason;
    int r;

    stop_asking(relay);
    journal_note_held(&relay->journal, false);
    if (relay->backend.fd < 0) {
        relay_begin_next(relay);
        return;
    }
    thaw();
    r = replay_since(&relay->journal.session, &relay->aperture, relay->held_sequence,
                     relay->backend.fd, &reason);
    if (r == -ESTALE)
        relay_renew(relay);
    else if (r < 0 && reason)
        relay_refuse(relay, reason);
    else if (r < 0)
        relay_replace(relay);
}

/* The driver is one of the guest that reported the pool. What a process of before may have kept of
 * the memory is not for this one. */
static void release(struct relay *relay)
{
    if (relay->backend.fd < 0) {
        go_on(relay);
        return;
    }
    stop_asking(relay);
    journal_note_held(&relay->journal, false);
    relay_renew(relay);
}

void relay_hold_look(struct relay *relay)
{
    char events[4096];

    if (relay_hold_timeout(relay) == 0)
        ask(relay);
    while (relay->watch >= 0 && read(relay->watch, events, sizeof(events)) > 0)
        ;
    if (aperture_is_confirmed(&relay->aperture))
        release(relay);
}

static bool goes_on(const struct relay *relay, const struct vhost_user_message *message)
{
    struct vhost_user_vring_state state;

    return message->request == VHOST_USER_SET_VRING_BASE &&
           vhost_user_read(message, 0, &state, sizeof(state)) && state.number != 0 &&
           session_find(&relay->journal.session, VHOST_USER_GET_VRING_BASE, state.index);
}

/* The daemon is asked once QEMU is done. */
static void look_at_rings(struct relay *relay)
{
    if (relay->aperture.question == 0 && rings_are_running(&relay->journal.session))
        relay->ask_ms = now_ms() + RELAY_HOLD_QUIET_MS;
}

void relay_hold_take(struct relay *relay)
{
    bool is_same = goes_on(relay, &relay->question.message);

    if (relay->question.message.request == VHOST_USER_GET_VRING_BASE)
        stop_asking(relay); /* that driver is gone, and what is said of it is void */
    passage_clear(&relay->question);
    if (is_same)
        go_on(relay);
    else
        look_at_rings(relay);
    answer(relay);
}

void relay_hold_resume(struct relay *relay)
{
    relay->resumes_hold = false;
    look_at_rings(relay);
    answer(relay);
}

/* ---- its begin */

bool relay_hold_is_due(const struct relay *relay)
{
    return relay->aperture.told.count > 0 &&
           relay->journal.asked.request == VHOST_USER_GET_VRING_BASE &&
           !rings_are_running(&relay->journal.session);
}

void relay_hold_begin(struct relay *relay)
{
    journal_note_held(&relay->journal, true);
    journal_note_answered(&relay->journal);
    relay->held_sequence = relay->journal.session.sequence;
    if (freeze() == 0)
        return;
    (void)dprintf(STDERR_FILENO,
                  "relay: %s does not stop while its device has no driver; killing it\n",
                  relay->kind->name);
    relay_replace(relay);
}
