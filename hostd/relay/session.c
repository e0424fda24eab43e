/* session: what a frontend has told its backend, kept so that another can be told the same. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t key_of(const struct vhost_user_message *message)
{
    uint32_t index = 0;
    struct vhost_user_region region = {0};

    switch (message->request) {
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
    case VHOST_USER_SET_VRING_ENABLE:
        (void)vhost_user_read(message, 0, &index, sizeof(index));
        return index & VHOST_USER_VRING_INDEX_MASK;
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_REM_MEM_REG:
        (void)vhost_user_read(message, VHOST_USER_REGIONS_OFFSET, &region, sizeof(region));
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
    *entry =
        (struct session_entry){.key = key, .sequence = ++session->sequence, .message = *message};
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
    int r;

    switch (message->request) {
    case VHOST_USER_GET_VRING_BASE: /* stops the vring */
        forget(session, VHOST_USER_SET_VRING_KICK, key, false);
        forget(session, message->request, key, false);
        r = append(session, message, key);
        return r < 0 ? r : 0;
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
    case VHOST_USER_SET_BACKEND_REQ_FD: /* nobody is told, but it stays open */
    case VHOST_USER_ADD_MEM_REG:
        break;
    default: /* a question, or nothing that a virtiofs device is told */
        return 0;
    }
    forget(session, message->request, key, false);
    return append(session, message, key);
}

const struct session_entry *session_find(const struct session *session, uint32_t request,
                                         uint64_t key)
{
    const struct session_entry *entry = session->first;

    while (entry && (entry->message.request != request || entry->key != key))
        entry = entry->next;
    return entry;
}

void session_clear(struct session *session)
{
    while (session->first)
        forget(session, session->first->message.request, session->first->key, false);
}
