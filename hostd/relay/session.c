/* session: what a frontend has told its backend, kept so that another can be told the same. */
#include "session.h"

#include "descriptor.h"
#include "passage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file descriptor's message: bits 0 to 7 of the payload are the vring, bit 8 says that there is
 * no file. */
#define VRING_INDEX_MASK 0xffu
/* The ring's flags stand before its index (virtio 1.2, 2.7.8). */
#define USED_INDEX_OFFSET 2

struct session_entry {
    struct session_entry *next;
    uint64_t key; /* of settings with several instances: vring, region */
    struct vhost_user_message message;
};

/* Of the payloads, as the protocol lays them out. */
struct vring_state {
    uint32_t index, number;
};

struct vring_address {
    uint32_t index, flags;
    uint64_t descriptors, used, available, log;
};

struct region {
    uint64_t guest_address, size, user_address, file_offset;
};

/* Before them: a table's u32 count and u32 padding, or a single one's u64 padding. */
#define REGIONS_OFFSET 8u

static bool read_at(const struct vhost_user_message *message, size_t offset, void *data,
                    size_t size)
{
    if (offset + size > message->size)
        return false;
    memcpy(data, message->payload + offset, size);
    return true;
}

static uint64_t key_of(const struct vhost_user_message *message)
{
    uint32_t index = 0;
    struct region region = {0};

    switch (message->request) {
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
    case VHOST_USER_SET_VRING_ENABLE:
        (void)read_at(message, 0, &index, sizeof(index));
        return index & VRING_INDEX_MASK;
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_REM_MEM_REG:
        (void)read_at(message, REGIONS_OFFSET, &region, sizeof(region));
        return region.user_address;
    default:
        return 0;
    }
}

static void forget(struct session *session, uint32_t request, uint64_t key, bool any_key)
{
    struct session_entry **position = &session->first;

    session->last = NULL;
    while (*position) {
        struct session_entry *entry = *position;

        if (entry->message.request == request && (any_key || entry->key == key)) {
            *position = entry->next;
            vhost_user_close(&entry->message);
            free(entry);
            session->count--;
        } else {
            session->last = entry;
            position = &entry->next;
        }
    }
}

/* @return 1 or -errno */
static int append(struct session *session, const struct vhost_user_message *message, uint64_t key)
{
    struct session_entry *entry;

    if (session->count >= SESSION_MESSAGES_MAX)
        return -ENOBUFS;
    entry = malloc(sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    *entry = (struct session_entry){.key = key, .message = *message};
    /* Answers would reach a frontend that did not ask. */
    entry->message.flags &= ~VHOST_USER_FLAG_NEED_REPLY;
    entry->message.fd_count = 0;
    for (size_t i = 0; i < message->fd_count; i++) {
        int fd = fcntl(message->fds[i], F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            int r = -errno;

            vhost_user_close(&entry->message);
            free(entry);
            return r;
        }
        entry->message.fds[entry->message.fd_count++] = fd;
    }
    if (session->last)
        session->last->next = entry;
    else
        session->first = entry;
    session->last = entry;
    session->count++;
    return 1;
}

int session_note(struct session *session, const struct vhost_user_message *message)
{
    uint64_t key = key_of(message);

    switch (message->request) {
    case VHOST_USER_GET_VRING_BASE: /* stops the vring */
        forget(session, VHOST_USER_SET_VRING_KICK, key, false);
        return 0;
    case VHOST_USER_REM_MEM_REG:
        forget(session, VHOST_USER_ADD_MEM_REG, key, false);
        return 0;
    case VHOST_USER_SET_MEM_TABLE:
        forget(session, VHOST_USER_ADD_MEM_REG, 0, true);
        break;
    case VHOST_USER_SET_OWNER:
    case VHOST_USER_SET_FEATURES:
    case VHOST_USER_SET_PROTOCOL_FEATURES:
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
    case VHOST_USER_SET_VRING_ENABLE:
    case VHOST_USER_ADD_MEM_REG:
        break;
    default: /* a question, or nothing that a virtiofs device is told */
        return 0;
    }
    forget(session, message->request, key, false);
    return append(session, message, key);
}

/* Reads the guest's memory at a frontend's address. @return 0, or -EFAULT if no region has it */
static int read_memory(const struct session *session, uint64_t address, void *data, size_t size)
{
    for (const struct session_entry *entry = session->first; entry; entry = entry->next) {
        if (entry->message.request != VHOST_USER_SET_MEM_TABLE &&
            entry->message.request != VHOST_USER_ADD_MEM_REG)
            continue;
        for (size_t i = 0; i < entry->message.fd_count; i++) {
            struct region region;

            if (!read_at(&entry->message, REGIONS_OFFSET + i * sizeof(region), &region,
                         sizeof(region)) ||
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

/* Where the vring goes on: what is used up is done, what came after is not. */
static int used_index(const struct session *session, uint64_t vring, uint32_t *ret_index)
{
    for (const struct session_entry *entry = session->first; entry; entry = entry->next) {
        struct vring_address address;
        uint16_t index;
        int r;

        if (entry->message.request != VHOST_USER_SET_VRING_ADDR || entry->key != vring ||
            !read_at(&entry->message, 0, &address, sizeof(address)))
            continue;
        r = read_memory(session, address.used + USED_INDEX_OFFSET, &index, sizeof(index));
        if (r == 0)
            *ret_index = index;
        return r;
    }
    return -ENOENT;
}

/* @return 0 or -errno */
static int replay_one(const struct session *session, const struct session_entry *entry, int fd)
{
    struct vhost_user_message message = entry->message;
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    struct vring_state state;
    int r;

    if (message.request == VHOST_USER_SET_VRING_BASE &&
        read_at(&message, 0, &state, sizeof(state)) &&
        used_index(session, entry->key, &state.number) == 0)
        memcpy(message.payload, &state, sizeof(state));
    do
        r = vhost_user_send(fd, &message);
    while (r == -EAGAIN && poll(&room, 1, PASSAGE_PATIENCE_MS) > 0);
    return r == -EAGAIN ? -ETIMEDOUT : r;
}

/* As if the other side of a vring had said that there is something new: none is harmless. One that
 * is full has been said so much about that nobody needs this. */
static void announce(const struct session_entry *entry)
{
    const uint64_t one = 1;
    struct pollfd room = {.events = POLLOUT};

    /* The frontend says that it is one, and root's writing into another file might do anything. */
    if (entry->message.fd_count != 1 || !descriptor_is_event(entry->message.fds[0]))
        return;
    room.fd = entry->message.fds[0];
    if (poll(&room, 1, 0) > 0 && room.revents & POLLOUT)
        (void)!write(room.fd, &one, sizeof(one));
}

/* The kicks last: with its kick a vring starts, and requests wait in it, whose answers need all the
 * rest. */
int session_replay(const struct session *session, int fd)
{
    int r = 0;

    for (const struct session_entry *entry = session->first; entry && r == 0; entry = entry->next)
        if (entry->message.request != VHOST_USER_SET_VRING_KICK)
            r = replay_one(session, entry, fd);
    for (const struct session_entry *entry = session->first; entry && r == 0; entry = entry->next) {
        if (entry->message.request == VHOST_USER_SET_VRING_CALL) {
            /* An answer that the old one gave in its last moment may not have been announced. */
            announce(entry);
        } else if (entry->message.request == VHOST_USER_SET_VRING_KICK) {
            r = replay_one(session, entry, fd);
            /* What waited when the old one ended was announced to that one only. */
            if (r == 0)
                announce(entry);
        }
    }
    return r;
}

void session_clear(struct session *session)
{
    while (session->first)
        forget(session, session->first->message.request, session->first->key, false);
}
