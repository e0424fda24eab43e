/*
 * handshake: a connection from its accept until its first frame is judged.
 *
 * The time for it runs from the accept to the last byte of CAPABILITIES, however the bytes drip in.
 * A refused guest is left a moment to read why.
 *
 * Strangers (of no VM, or from a port that any program in a guest may have) are refused whatever
 * they say. A few are heard, to be told; they count neither as their VM's connections nor against
 * the limit of all, so that they cannot keep a guest's PID 1 out by saying nothing.
 *
 * On a hybrid socket no port shows, and anything in the guest can fill its VM's places with
 * connections that say nothing, or not enough. So a newcomer is never kept out by them: the oldest
 * one leaves its place, after a last look at what it has said. PID 1 says all of it at once.
 *
 * Where a CID is all that names the VM, its QEMU has to vouch for it: a connection is held, unread,
 * until QEMU's QMP answers.
 */
#include "handshake.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/connection.h"
#include "guest/greeting.h"
#include "guest/session.h"
#include "vm/report.h"
#include "vm/vm_owner.h"

#include "protocol/welcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct handshake {
    LIST_ENTRY(handshake) of_all;
    TAILQ_ENTRY(handshake) of_vm; /* unless it is a stranger's */
    struct handshakes *all;
    struct connection *connection;
    struct session session;
    struct peer peer;
    struct vm *vm; /* NULL: nobody's */
    bool stranger;
    bool too_many;
    bool held;   /* unread: the VM is not vouched for yet */
    bool looked; /* its last look was had: make_room() */
    uint64_t accepted_us;
    uint64_t deadline_us; /* of the report; of a refused one: until it must have read why */
};

/* One timer for all: a guest that is quick costs none. */
struct handshakes {
    struct services *services;
    LIST_HEAD(, handshake) list;
    uint32_t strangers;
    sd_event_source *timer;
    uint64_t armed_us;
};

/* Puts a new one on the lists. */
static void enlist(struct handshake *handshake)
{
    LIST_INSERT_HEAD(&handshake->all->list, handshake, of_all);
    if (!handshake->stranger) {
        TAILQ_INSERT_HEAD(&vm_handshakes(handshake->vm)->queue, handshake, of_vm);
        vm_handshakes(handshake->vm)->count++;
    }
}

/* Frees it, but not a connection that was handed over. */
static void handshake_free(struct handshake *handshake)
{
    if (!handshake->stranger) {
        TAILQ_REMOVE(&vm_handshakes(handshake->vm)->queue, handshake, of_vm);
        vm_handshakes(handshake->vm)->count--;
    }
    LIST_REMOVE(handshake, of_all);
    if (handshake->connection && handshake->stranger)
        handshake->all->strangers--;
    else if (handshake->connection && handshake->vm)
        (void)vm_count_connection(handshake->vm, -1);
    handshake->connection = connection_free(handshake->connection);
    free(handshake);
}

/* The VM's QEMU answers now. A guest has one connection at a time: those that were there before its
 * last are given up. */
static void on_vouched(struct vm *vm)
{
    struct handshake *newest = NULL, *next;

    for (struct handshake *h = TAILQ_FIRST(&vm_handshakes(vm)->queue); h; h = next) {
        next = TAILQ_NEXT(h, of_vm);
        if (h->held && newest)
            handshake_free(h);
        else if (h->held)
            newest = h;
    }
    if (newest) {
        newest->held = false;
        connection_pause(newest->connection, false);
    }
}

struct handshakes *handshakes_new(struct services *services)
{
    struct handshakes *handshakes = calloc(1, sizeof(*handshakes));

    if (!handshakes)
        return NULL;
    handshakes->services = services;
    services->vm_vouched = on_vouched;
    return handshakes;
}

struct handshakes *handshakes_free(struct handshakes *handshakes)
{
    if (!handshakes)
        return NULL;
    while (!LIST_EMPTY(&handshakes->list))
        handshake_free(LIST_FIRST(&handshakes->list));
    handshakes->services->vm_vouched = NULL;
    (void)sd_event_source_disable_unref(handshakes->timer);
    free(handshakes);
    return NULL;
}

void handshakes_forget(struct handshakes *handshakes, const struct vm *vm)
{
    struct handshake *next;

    for (struct handshake *h = LIST_FIRST(&handshakes->list); h; h = next) {
        next = LIST_NEXT(h, of_all);
        if (h->vm == vm)
            handshake_free(h);
    }
}

/* A Unix socket shows no port; who may connect is decided by its owner and mode. */
static bool is_privileged(const struct peer *peer)
{
    return !peer->vsock || peer->port < LIMITS_PRIVILEGED_PORTS;
}

static uint32_t timeout_ms(const struct handshake *handshake)
{
    return handshake->vm ? vm_config(handshake->vm)->timeouts.capabilities
                         : handshake->all->services->config->timeouts.capabilities;
}

/* On AF_VSOCK any process that may open /dev/vhost-vsock takes the CID of a VM that does not run. A
 * hybrid socket is guarded by its owner and mode. */
static bool is_vouched(const struct handshake *handshake)
{
    return !handshake->peer.vsock || vm_is_vouched(handshake->vm);
}

/* Its time is up. */
static void expire(struct handshake *handshake)
{
    struct services *services = handshake->all->services;

    if (handshake->session.state == SESSION_NEW) {
        services->counters.timed_out++;
        if (handshake->held)
            report_unvouched(handshake->vm, &handshake->peer, timeout_ms(handshake));
        else
            report_handshake_timeout(services, handshake->vm, &handshake->peer,
                                     timeout_ms(handshake));
    }
    handshake_free(handshake);
}

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata);

static int set_deadline(struct handshake *handshake, uint32_t ms)
{
    struct handshakes *all = handshake->all;

    handshake->deadline_us = clock_now_us() + ms * UINT64_C(1000);
    return clock_arm_first(all->services->event, &all->timer, &all->armed_us,
                           handshake->deadline_us, on_timer, all);
}

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct handshakes *all = userdata;
    uint64_t now_us = clock_now_us(), first_us = CLOCK_NEVER;
    struct handshake *next;

    (void)source;
    (void)at_us;
    all->armed_us = 0;
    for (struct handshake *h = LIST_FIRST(&all->list); h; h = next) {
        next = LIST_NEXT(h, of_all);
        if (h->deadline_us <= now_us)
            expire(h);
        else if (h->deadline_us < first_us)
            first_us = h->deadline_us;
    }
    return clock_arm_first(all->services->event, &all->timer, &all->armed_us, first_us, on_timer,
                           all);
}

static void violate(struct handshake *handshake, const char *reason)
{
    report_protocol_error(handshake->all->services, handshake->vm, &handshake->peer, reason);
    handshake_free(handshake);
}

static void refuse(struct handshake *handshake, uint32_t id,
                   const struct session_decision *decision)
{
    report_refused(handshake->all->services, handshake->vm, &handshake->peer, decision->status,
                   decision->reason);
    greeting_send(handshake->connection, id, PROTOCOL_MINOR, decision->status,
                  handshake->stranger ? NULL : vm_config(handshake->vm)->name);
    if (set_deadline(handshake, LIMITS_REFUSAL_LINGER_MS) < 0)
        handshake_free(handshake);
}

static void on_frame(void *userdata, const struct frame *frame)
{
    struct handshake *handshake = userdata;
    struct vm *vm = handshake->vm;
    struct session_facts facts = {
        .known = vm != NULL,
        .privileged = is_privileged(&handshake->peer),
        .too_many = handshake->too_many,
        .boot = vm ? vm_boot_report(vm) : NULL,
    };
    struct session_decision decision;
    struct connection *connection;
    uint64_t accepted_us = handshake->accepted_us;

    session_judge(&handshake->session, frame, &facts, &decision);
    switch (decision.verdict) {
    case SESSION_ACCEPT:
        /* QMP broke since the accept: the next call of the guest's is held */
        if (!is_vouched(handshake)) {
            handshake_free(handshake);
            break;
        }
        connection = handshake->connection;
        handshake->connection = NULL;
        handshake_free(handshake);
        vm_take_connection(vm, connection, frame->id, &decision, accepted_us);
        break;
    case SESSION_REFUSE:
        refuse(handshake, frame->id, &decision);
        break;
    case SESSION_VIOLATION:
        violate(handshake, decision.reason);
        break;
    default:
        break;
    }
}

static void on_ended(void *userdata, enum connection_end how, int error)
{
    struct handshake *handshake = userdata;

    (void)error;
    if (handshake->held)
        report_unvouched(handshake->vm, &handshake->peer, timeout_ms(handshake));
    if (how == CONNECTION_END_MAGIC)
        violate(handshake, "magic");
    else if (how == CONNECTION_END_LENGTH)
        violate(handshake, "length");
    else
        handshake_free(handshake);
}

static const struct connection_events connection_events = {.frame = on_frame, .ended = on_ended};

/* Whose place a newcomer can have: of the VM that has the most, the oldest; or NULL. */
static struct handshake *find_oldest(const struct handshake *newcomer, bool in_all)
{
    struct handshake *oldest = TAILQ_LAST(&vm_handshakes(newcomer->vm)->queue, vm_handshake_queue);
    uint32_t most = vm_handshakes(newcomer->vm)->count;

    for (struct handshake *h = LIST_FIRST(&newcomer->all->list); in_all && h;
         h = LIST_NEXT(h, of_all)) {
        if (h->stranger || h == newcomer || vm_handshakes(h->vm)->count < most)
            continue;
        most = vm_handshakes(h->vm)->count;
        oldest = TAILQ_LAST(&vm_handshakes(h->vm)->queue, vm_handshake_queue);
    }
    return oldest == newcomer ? NULL : oldest;
}

static uint32_t count_all(const struct handshakes *all)
{
    return (uint32_t)(all->services->counters.open - all->strangers);
}

/* Closes it; but only looks at it the first time: it may be another's turn then, or nobody's. */
static void leave_place(struct handshake *handshake)
{
    if (handshake->session.state == SESSION_NEW && !handshake->looked) {
        handshake->looked = true;
        connection_poll(handshake->connection);
        return;
    }
    if (handshake->session.state == SESSION_NEW)
        report_refused(handshake->all->services, handshake->vm, &handshake->peer, WELCOME_TOO_MANY,
                       "silent-while-another-calls");
    handshake_free(handshake);
}

/* A guest that calls again before the end of its old connection is known needs a second one. */
static uint32_t most_of_vm(const struct config_limits *limits)
{
    return limits->connections_per_vm > 1 ? limits->connections_per_vm : 2;
}

/* As long as there are more than the limits allow, somebody leaves. */
static void make_room(const struct handshake *newcomer, const struct config_limits *limits)
{
    struct handshake *oldest;

    for (;;) {
        bool vm_full = vm_count_connection(newcomer->vm, 0) > most_of_vm(limits);

        if (!vm_full && count_all(newcomer->all) <= limits->connections)
            return;
        oldest = find_oldest(newcomer, !vm_full);
        if (!oldest)
            return;
        leave_place(oldest);
    }
}

/* Counts a connection. @return false if it is so far over a limit that it is closed unheard */
static bool admit(struct handshake *handshake)
{
    const struct config_limits *limits = &handshake->all->services->config->limits;
    uint32_t all, of_vm;

    if (handshake->stranger)
        return ++handshake->all->strangers <= LIMITS_REFUSED_IN_ALL;
    (void)vm_count_connection(handshake->vm, 1);
    make_room(handshake, limits);
    of_vm = vm_count_connection(handshake->vm, 0);
    all = count_all(handshake->all);
    handshake->too_many = of_vm > most_of_vm(limits) || all > limits->connections;
    return of_vm <= most_of_vm(limits) + LIMITS_REFUSED_PER_VM &&
           all <= limits->connections + LIMITS_REFUSED_IN_ALL;
}

void handshake_begin(struct handshakes *handshakes, int fd, const struct peer *peer, struct vm *vm)
{
    struct services *services = handshakes->services;
    struct handshake *handshake = calloc(1, sizeof(*handshake));

    services->counters.connections++;
    if (!handshake) {
        (void)close(fd);
        return;
    }
    *handshake = (struct handshake){.all = handshakes,
                                    .peer = *peer,
                                    .vm = vm,
                                    .stranger = !vm || !is_privileged(peer),
                                    .accepted_us = clock_now_us()};
    enlist(handshake);
    if (connection_new(services->event, fd, services->config->limits.connection_bytes,
                       &services->counters, &connection_events, handshake,
                       &handshake->connection) < 0) {
        handshake_free(handshake);
        return;
    }
    if (!admit(handshake) || set_deadline(handshake, timeout_ms(handshake)) < 0) {
        report_refused(services, vm, peer, WELCOME_TOO_MANY, "too-many-connections");
        handshake_free(handshake);
        return;
    }
    handshake->held = !handshake->stranger && !is_vouched(handshake);
    if (handshake->held)
        connection_pause(handshake->connection, true);
}
