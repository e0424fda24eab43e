/* rings: which vrings a session sets up, and where they are, in QEMU's addresses. */
#include "rings.h"

#include <errno.h>

/* virtio 1.2, 2.7.5, 2.7.6, 2.7.8: with the event index behind each of the last two. */
static void place(struct ring *ring, const struct vhost_user_vring_address *address,
                  uint64_t entries)
{
    ring->parts[0] = (struct ring_part){address->descriptors, 16 * entries};
    ring->parts[1] = (struct ring_part){address->available, 2 * entries + 6};
    ring->parts[2] = (struct ring_part){address->used, 8 * entries + 6};
}

static bool is_later(const struct session_entry *entry, const struct session_entry *than)
{
    return entry && entry->sequence > than->sequence;
}

/* @return 0 or -EINVAL */
static int read_one(const struct session *session, const struct session_entry *entry,
                    struct ring *ring)
{
    const struct session_entry *size = session_find(session, VHOST_USER_SET_VRING_NUM, entry->key);
    const struct session_entry *stop = session_find(session, VHOST_USER_GET_VRING_BASE, entry->key);
    struct vhost_user_vring_address address;
    struct vhost_user_vring_state state;

    if (!size || !vhost_user_read(&size->message, 0, &state, sizeof(state)) ||
        !vhost_user_read(&entry->message, 0, &address, sizeof(address)) || state.number == 0 ||
        state.number > RING_ENTRIES_MAX)
        return -EINVAL;
    ring->key = entry->key;
    ring->sequence = entry->sequence;
    ring->is_stopped = is_later(size, entry) || is_later(stop, entry);
    place(ring, &address, state.number);
    return 0;
}

int rings_read(const struct session *session, struct rings *ret_rings)
{
    ret_rings->count = 0;
    for (const struct session_entry *entry = session->first; entry; entry = entry->next) {
        int r;

        if (entry->message.request != VHOST_USER_SET_VRING_ADDR)
            continue;
        if (ret_rings->count == RINGS_MAX)
            return -E2BIG;
        r = read_one(session, entry, &ret_rings->items[ret_rings->count]);
        if (r < 0)
            return r;
        ret_rings->count++;
    }
    return 0;
}

bool rings_are_running(const struct session *session)
{
    struct rings rings;

    if (rings_read(session, &rings) < 0)
        return false;
    for (size_t i = 0; i < rings.count; i++)
        if (!rings.items[i].is_stopped)
            return true;
    return false;
}
