/*
 * A frontend and a backend, both hostile, with an aperture in between: whatever they say, the
 * backend is given pages of the pool and of rings alone, and nothing comes up but what was asked.
 *
 * The input is a row of messages: a byte with the request, and bit 7 for one of the backend's; a
 * byte with the flags (bits 0 to 3), what comes with it (bits 4 and 5: nothing, an eventfd, a
 * socket, memory) and how many (bits 6 and 7); the payload's size in a byte; the payload.
 */
#include "fuzz.h"
#include "hostd/relay/confine.h"
#include "hostd/relay/rings.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static int fds[4] = {-1, -1, -1, -1};

struct relay {
    struct session session;
    struct aperture aperture;
    struct vhost_user_message asked;
    bool is_asked;
};

static void open_fds(void)
{
    if (fds[1] >= 0)
        return;
    fds[1] = eventfd(0, EFD_CLOEXEC);
    fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[3] = memfd_create("memory", MFD_CLOEXEC);
    FUZZ_CHECK(fds[1] >= 0 && fds[2] >= 0 && fds[3] >= 0);
}

/* @return how many bytes it took, 0: there is no more */
static size_t read_message(const uint8_t *data, size_t size, struct vhost_user_message *message,
                           bool *backend)
{
    size_t count;

    if (size < 3 || size - 3 < data[2])
        return 0;
    *message = (struct vhost_user_message){
        .request = data[0] & 0x7f, .flags = data[1] & 15, .size = data[2]};
    *backend = data[0] & 0x80;
    memcpy(message->payload, data + 3, data[2]);
    count = data[1] >> 6;
    if (message->request == VHOST_USER_SET_MEM_TABLE && data[2] >= 4)
        memcpy(&count, message->payload, 1); /* or it is none anyway */
    for (size_t i = 0; i < count && i < VHOST_USER_FDS_MAX && (data[1] >> 4 & 3); i++)
        message->fds[message->fd_count++] = dup(fds[data[1] >> 4 & 3]);
    return 3 + (size_t)data[2];
}

/* True if a ring of the session, wherever and of whatever time, has a byte in that page. */
static bool is_of_a_ring(const struct relay *relay, const struct memory_table *memory,
                         uint64_t page)
{
    struct rings rings;
    uint64_t begin;

    FUZZ_CHECK(rings_read(&relay->session, &rings) == 0);
    for (size_t i = 0; i < rings.count; i++)
        for (size_t j = 0; j < RING_PARTS; j++) {
            const struct ring_part *part = &rings.items[i].parts[j];

            if (memory_table_find(memory, part->address, part->size, &begin) == 0 &&
                begin < page + PAGE && page < begin + part->size)
                return true;
        }
    return false;
}

/* Each page of a table that is handed over is of the pool or of a ring, and where QEMU has it. */
static void check_table(const struct relay *relay, const struct vhost_user_message *message)
{
    const struct aperture *aperture = &relay->aperture;
    const struct session_entry *entry = session_find(&relay->session, VHOST_USER_SET_MEM_TABLE, 0);
    struct memory_table memory, table;

    FUZZ_CHECK(entry && memory_table_unpack(&entry->message, &memory) == 0);
    FUZZ_CHECK(memory_table_unpack(message, &table) == 0);
    for (size_t i = 0; i < table.count; i++) {
        const struct vhost_user_region *region = &table.regions[i];

        FUZZ_CHECK(region->user_address == region->guest_address);
        FUZZ_CHECK(i == 0 || region[-1].guest_address + region[-1].size <= region->guest_address);
        for (uint64_t page = region->guest_address; page < region->guest_address + region->size;
             page += PAGE)
            FUZZ_CHECK((page >= aperture->base && page - aperture->base < aperture->size) ||
                       is_of_a_ring(relay, &memory, page));
    }
    FUZZ_CHECK(memory_table_bytes(&table) >= aperture->size);
}

/* What reaches the backend. */
static void check_down(const struct relay *relay, const struct vhost_user_message *message)
{
    uint64_t bits = 0;

    (void)vhost_user_read(message, 0, &bits, sizeof(bits));
    switch (message->request) {
    case VHOST_USER_SET_MEM_TABLE:
        check_table(relay, message);
        return;
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
        FUZZ_CHECK(message->fd_count <= 1);
        return;
    case VHOST_USER_SET_FEATURES:
        FUZZ_CHECK(!(bits & (UINT64_C(1) << 33 | UINT64_C(1) << 34 | UINT64_C(1) << 26)));
        break;
    case VHOST_USER_SET_PROTOCOL_FEATURES:
        FUZZ_CHECK(!(bits & ~UINT64_C(0x1d)));
        break;
    case VHOST_USER_SET_BACKEND_REQ_FD:
        FUZZ_CHECK(false);
        break;
    default:
        FUZZ_CHECK(message->request <= VHOST_USER_NET_SET_MTU);
        FUZZ_CHECK(message->request != VHOST_USER_SET_LOG_BASE &&
                   message->request != VHOST_USER_SET_LOG_FD);
    }
    FUZZ_CHECK(message->fd_count == 0);
}

/* As the relay does when another process takes the place of the one that there was. */
static void renew(struct relay *relay)
{
    struct vhost_user_message message;
    struct memory_table table;
    const char *reason = NULL;

    relay->aperture.told.count = 0;
    if (aperture_find(&relay->aperture, &relay->session, false, &table, &reason) < 0) {
        FUZZ_CHECK(reason);
        return;
    }
    FUZZ_CHECK(aperture_hand_over(&relay->aperture, &table, &message, &reason) == 0);
    check_table(relay, &message);
    vhost_user_close(&message);
}

/* @return false: the device ends */
static bool take_question(struct relay *relay, struct vhost_user_message *message)
{
    struct vhost_user_message before = {.request = 0};
    const char *reason = NULL;
    enum filter_way way;

    if (message->request < 1 || message->request > VHOST_USER_REQUEST_LAST)
        return false;
    way = filter_judge(message, &reason);
    if (way == FILTER_REFUSE) {
        FUZZ_CHECK(reason);
        return false;
    }
    FUZZ_CHECK(session_note(&relay->session, message) >= 0);
    relay->asked = *message;
    relay->asked.fd_count = 0;
    relay->is_asked = vhost_user_has_answer(message);
    switch (confine_message(&relay->aperture, &relay->session, way, message, &before, &reason)) {
    case CONFINE_PASS:
        if (before.request)
            check_down(relay, &before);
        vhost_user_close(&before);
        check_down(relay, message);
        return true;
    case CONFINE_RENEW:
        renew(relay);
        return true;
    case CONFINE_ANSWER:
        return true;
    case CONFINE_REFUSE:
        FUZZ_CHECK(reason);
    }
    return false;
}

static bool take_answer(const struct relay *relay, struct vhost_user_message *answer)
{
    if (!relay->is_asked || !filter_up(&relay->asked, answer))
        return false;
    FUZZ_CHECK(answer->request == relay->asked.request && answer->size == 8 &&
               answer->fd_count == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct relay relay = {.aperture = {.base = UINT64_C(0x400000),
                                       .size = UINT64_C(0x10000),
                                       .piece = UINT64_C(0x10000),
                                       .device = -1,
                                       .obstacle = "it is a fuzzer",
                                       .status_file = ""}};
    static struct vhost_user_message message;
    bool goes_on = true, backend;
    size_t taken;

    open_fds();
    while (goes_on && (taken = read_message(data, size, &message, &backend)) > 0) {
        data += taken;
        size -= taken;
        goes_on = backend ? take_answer(&relay, &message) : take_question(&relay, &message);
        vhost_user_close(&message);
    }
    session_clear(&relay.session);
    return 0;
}
