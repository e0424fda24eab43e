/* replay: tells a new backend what the one before it was told. */
#include "replay.h"

#include "descriptor.h"
#include "filter.h"
#include "passage.h"
#include "rings.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* The ring's flags stand before its index (virtio 1.2, 2.7.8). */
#define USED_INDEX_OFFSET 2

/* An answer comes at once: its header and its payload. */
#define ANSWER_PARTS 3u

/* Reads the guest's memory at a frontend's address. @return 0, or -EFAULT if no region has it */
static int read_memory(const struct session *session, uint64_t address, void *data, size_t size)
{
    for (const struct session_entry *entry = session->first; entry; entry = entry->next) {
        if (entry->message.request != VHOST_USER_SET_MEM_TABLE &&
            entry->message.request != VHOST_USER_ADD_MEM_REG)
            continue;
        for (size_t i = 0; i < entry->message.fd_count; i++) {
            struct vhost_user_region region;

            if (!vhost_user_read(&entry->message, VHOST_USER_REGIONS_OFFSET + i * sizeof(region),
                                 &region, sizeof(region)) ||
                region.size < size || address < region.user_address ||
                address - region.user_address > region.size - size)
                continue;
            if (pread(entry->message.fds[i], data, size,
                      (off_t)(region.file_offset + (address - region.user_address))) ==
                (ssize_t)size)
                return 0;
        }
    }
    return -EFAULT;
}

int replay_find_base(const struct session *session, uint64_t vring, uint32_t *ret_index)
{
    const struct session_entry *entry = session_find(session, VHOST_USER_SET_VRING_ADDR, vring);
    struct vhost_user_vring_address address;
    uint16_t index;
    int r;

    if (!entry || !vhost_user_read(&entry->message, 0, &address, sizeof(address)))
        return -ENOENT;
    r = read_memory(session, address.used + USED_INDEX_OFFSET, &index, sizeof(index));
    if (r == 0)
        *ret_index = index;
    return r;
}

/* Sends it, as soon as the other side reads. @return 0 or -errno */
static int say(int fd, const struct vhost_user_message *message)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int r;

    do
        r = vhost_user_send(fd, message);
    while (r == -EAGAIN && poll(&room, 1, PASSAGE_PATIENCE_MS) > 0);
    return r == -EAGAIN ? -ETIMEDOUT : r;
}

/* Asks, and takes the answer, which nobody needs. @return 0; -ETIMEDOUT; -EPROTO; -errno */
static int ask(int fd, uint32_t request)
{
    struct vhost_user_message message = {.request = request, .flags = VHOST_USER_VERSION};
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    int r = say(fd, &message);

    for (unsigned i = 0; r == 0 && i < ANSWER_PARTS; i++)
        r = poll(&answer, 1, PASSAGE_PATIENCE_MS) > 0 ? vhost_user_receive(fd, &message)
                                                      : -ETIMEDOUT;
    vhost_user_close(&message);
    if (r <= 0)
        return r < 0 ? r : -ETIMEDOUT;
    return message.request == request && message.flags & VHOST_USER_FLAG_REPLY ? 0 : -EPROTO;
}

/* virtiofsd in Rust acknowledges what the frontend wants acknowledged (QEMU 10: when a ring is
 * enabled) only if it was asked before what it can do. A frontend that waits for that stands with
 * all of its VM.
 * @return 0 or as ask() */
static int ask_what_was_asked(const struct session *session, int fd)
{
    int r;

    if (!session_find(session, VHOST_USER_SET_PROTOCOL_FEATURES, 0))
        return 0;
    r = ask(fd, VHOST_USER_GET_FEATURES);
    return r < 0 ? r : ask(fd, VHOST_USER_GET_PROTOCOL_FEATURES);
}

/* @return 0 or -errno */
static int say_table(const struct memory_table *table, struct aperture *aperture, int fd,
                     const char **ret_reason)
{
    struct vhost_user_message message;
    int r = aperture_hand_over(aperture, table, &message, ret_reason);

    if (r < 0)
        return r;
    r = say(fd, &message);
    vhost_user_close(&message);
    return r;
}

/* @return 0 or -errno */
static int say_memory(const struct session *session, struct aperture *aperture, int fd,
                      const char **ret_reason)
{
    struct memory_table table;
    int r = aperture_find(aperture, session, false, &table, ret_reason);

    return r < 0 ? r : say_table(&table, aperture, fd, ret_reason);
}

/* A ring that is stopped is set up again before it is used; what was its memory is the guest's. */
static bool is_stopped(const struct session *session, uint64_t vring)
{
    struct rings rings;

    if (rings_read(session, &rings) < 0)
        return true;
    for (size_t i = 0; i < rings.count; i++)
        if (rings.items[i].key == vring)
            return rings.items[i].is_stopped;
    return true;
}

/* Changes a message as the process of an aperture gets it. @return false: it does not */
static bool confine(const struct session *session, struct vhost_user_message *message, uint64_t key)
{
    const char *reason;

    switch (filter_judge(message, &reason)) {
    case FILTER_PASS:
        filter_down(message);
        return true;
    case FILTER_TRANSLATE:
        return !is_stopped(session, key) && aperture_translate(session, message) == 0;
    default:
        return false;
    }
}

/* @return 0 or -errno */
static int replay_one(const struct session *session, struct aperture *aperture,
                      const struct session_entry *entry, int fd, const char **ret_reason)
{
    struct vhost_user_message message = entry->message;
    struct vhost_user_vring_state state;

    if (aperture_is_in_force(aperture)) {
        if (message.request == VHOST_USER_SET_MEM_TABLE)
            return say_memory(session, aperture, fd, ret_reason);
        if (!confine(session, &message, entry->key))
            return 0;
    }
    if (message.request == VHOST_USER_SET_VRING_BASE &&
        !(aperture_is_in_force(aperture) && is_stopped(session, entry->key)) &&
        vhost_user_read(&message, 0, &state, sizeof(state)) &&
        replay_find_base(session, entry->key, &state.number) == 0)
        memcpy(message.payload, &state, sizeof(state));
    return say(fd, &message);
}

/* One that is full has been said so much about that nobody needs this. */
void replay_announce(const struct vhost_user_message *message)
{
    const uint64_t one = 1;
    struct pollfd room = {.events = POLLOUT};

    /* The frontend says that it is one, and root's writing into another file might do anything. */
    if (message->fd_count != 1 || !descriptor_is_event(message->fds[0]))
        return;
    room.fd = message->fds[0];
    if (poll(&room, 1, 0) > 0 && room.revents & POLLOUT)
        (void)!write(room.fd, &one, sizeof(one));
}

/* What needs the memory comes after it, which may have come late; and the kicks last: with its kick
 * a vring starts, and requests wait in it, whose answers need all the rest. */
static int step_of(const struct session_entry *entry)
{
    switch (entry->message.request) {
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_ENABLE:
        return 1;
    case VHOST_USER_SET_VRING_KICK:
        return 2;
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_BACKEND_REQ_FD:
        return -1; /* for the relay alone */
    default:
        return 0;
    }
}

static int replay_step(const struct session *session, struct aperture *aperture, int step, int fd,
                       const char **ret_reason)
{
    int r = 0;

    for (const struct session_entry *entry = session->first; entry && r == 0; entry = entry->next)
        if (step_of(entry) == step)
            r = replay_one(session, aperture, entry, fd, ret_reason);
    return r;
}

int replay_session(const struct session *session, struct aperture *aperture, int fd,
                   const char **ret_reason)
{
    int r;

    *ret_reason = NULL;
    aperture->told.count = 0;
    r = ask_what_was_asked(session, fd);
    for (int step = 0; step <= 2 && r == 0; step++)
        r = replay_step(session, aperture, step, fd, ret_reason);
    /* What waited when the old one ended was announced to that one only; an answer that it gave in
     * its last moment may not have been announced. */
    for (const struct session_entry *entry = session->first; entry && r == 0; entry = entry->next)
        if (entry->message.request == VHOST_USER_SET_VRING_CALL ||
            entry->message.request == VHOST_USER_SET_VRING_KICK)
            replay_announce(&entry->message);
    return r;
}

/* @return 0 or -errno, as replay_since() */
static int renew_memory(const struct session *session, struct aperture *aperture, int fd,
                        const char **ret_reason)
{
    struct memory_table table;
    int r = aperture_find(aperture, session, true, &table, ret_reason);

    if (r < 0)
        return r;
    if (!memory_table_holds(&table, &aperture->told))
        return -ESTALE;
    /* A device that starts gets new dma-bufs (confine.c). */
    if (!aperture->is_enforced && memory_table_holds(&aperture->told, &table))
        return 0;
    return say_table(&table, aperture, fd, ret_reason);
}

/* @return 0 or -errno */
static int say_later(const struct session *session, const struct session_entry *entry, int fd)
{
    struct vhost_user_message message = entry->message;

    if (message.request == VHOST_USER_SET_MEM_TABLE || !confine(session, &message, entry->key))
        return 0;
    return say(fd, &message);
}

int replay_since(const struct session *session, struct aperture *aperture, uint64_t since, int fd,
                 const char **ret_reason)
{
    int r;

    *ret_reason = NULL;
    r = renew_memory(session, aperture, fd, ret_reason);
    for (int step = 0; step <= 2 && r == 0; step++)
        for (const struct session_entry *entry = session->first; entry && r == 0;
             entry = entry->next)
            if (step_of(entry) == step && entry->sequence > since)
                r = say_later(session, entry, fd);
    return r;
}
