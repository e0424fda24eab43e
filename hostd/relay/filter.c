/* filter: which messages pass between QEMU and the process of a device that has an aperture. */
#include "filter.h"

#include "descriptor.h"
#include "rings.h"

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/stat.h>

#define BIT(number) (UINT64_C(1) << (number))

/* Offered by us alone. */
#define PLATFORM BIT(VIRTIO_F_ACCESS_PLATFORM)
/* A log of writes is memory of QEMU's; a packed ring's place says nothing of its size to rings.c.
 */
#define HIDDEN_FEATURES (BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_F_RING_PACKED))

/* Protocol features: several queues, announcements by RARP, acknowledgements, the MTU. All others
 * are for what the table below refuses. */
#define PROTOCOL_FEATURES (BIT(0) | BIT(2) | BIT(3) | BIT(4))

/* What comes with a message. */
enum rule_fds { NO_FD, SOCKET, VRING_EVENT, MEMORY };

#define VRING_STATE sizeof(struct vhost_user_vring_state)
#define U64         sizeof(uint64_t)
#define ANY_SIZE    UINT32_MAX

#define NOT_OFFERED FILTER_REFUSE, 0, NO_FD

static const struct rule {
    enum filter_way way;
    uint32_t size; /* of the payload, exactly */
    enum rule_fds fds;
    const char *why; /* it is refused */
} rules[VHOST_USER_REQUEST_LAST + 1] = {
    [VHOST_USER_GET_FEATURES] = {FILTER_PASS, 0, NO_FD, NULL},
    [VHOST_USER_SET_FEATURES] = {FILTER_PASS, U64, NO_FD, NULL},
    [VHOST_USER_SET_OWNER] = {FILTER_PASS, 0, NO_FD, NULL},
    [VHOST_USER_RESET_OWNER] = {FILTER_PASS, 0, NO_FD, NULL}, /* stops rings, if anything */
    [VHOST_USER_SET_MEM_TABLE] = {FILTER_MEMORY, ANY_SIZE, MEMORY, NULL},
    [VHOST_USER_SET_LOG_BASE] = {NOT_OFFERED, "would pass a dirty log, which is memory"},
    [VHOST_USER_SET_LOG_FD] = {NOT_OFFERED, "would pass a dirty log's descriptor"},
    [VHOST_USER_SET_VRING_NUM] = {FILTER_PASS, VRING_STATE, NO_FD, NULL},
    [VHOST_USER_SET_VRING_ADDR] = {FILTER_TRANSLATE, sizeof(struct vhost_user_vring_address), NO_FD,
                                   NULL},
    [VHOST_USER_SET_VRING_BASE] = {FILTER_PASS, VRING_STATE, NO_FD, NULL},
    [VHOST_USER_GET_VRING_BASE] = {FILTER_PASS, VRING_STATE, NO_FD, NULL},
    [VHOST_USER_SET_VRING_KICK] = {FILTER_PASS, U64, VRING_EVENT, NULL},
    [VHOST_USER_SET_VRING_CALL] = {FILTER_PASS, U64, VRING_EVENT, NULL},
    [VHOST_USER_SET_VRING_ERR] = {FILTER_PASS, U64, VRING_EVENT, NULL},
    [VHOST_USER_GET_PROTOCOL_FEATURES] = {FILTER_PASS, 0, NO_FD, NULL},
    [VHOST_USER_SET_PROTOCOL_FEATURES] = {FILTER_PASS, U64, NO_FD, NULL},
    [VHOST_USER_GET_QUEUE_NUM] = {FILTER_PASS, 0, NO_FD, NULL},
    [VHOST_USER_SET_VRING_ENABLE] = {FILTER_PASS, VRING_STATE, NO_FD, NULL},
    [VHOST_USER_SEND_RARP] = {FILTER_PASS, U64, NO_FD, NULL},
    [VHOST_USER_NET_SET_MTU] = {FILTER_PASS, U64, NO_FD, NULL},
    [VHOST_USER_SET_BACKEND_REQ_FD] = {FILTER_ANSWER, 0, SOCKET, NULL},
    [VHOST_USER_IOTLB_MSG] = {NOT_OFFERED, "the VM has a vIOMMU, with which no aperture works: "
                                           "start QEMU without one"},
    [VHOST_USER_SET_VRING_ENDIAN] = {NOT_OFFERED, "rings are little-endian"},
    [VHOST_USER_GET_CONFIG] = {NOT_OFFERED, "QEMU owns the device's configuration"},
    [VHOST_USER_SET_CONFIG] = {NOT_OFFERED, "QEMU owns the device's configuration"},
    [VHOST_USER_CREATE_CRYPTO_SESSION] = {NOT_OFFERED, "for another kind of device"},
    [VHOST_USER_CLOSE_CRYPTO_SESSION] = {NOT_OFFERED, "for another kind of device"},
    [VHOST_USER_POSTCOPY_ADVISE] = {NOT_OFFERED, "would pass up a descriptor of the backend"},
    [VHOST_USER_POSTCOPY_LISTEN] = {NOT_OFFERED, "would pass memory separately"},
    [VHOST_USER_POSTCOPY_END] = {NOT_OFFERED, "postcopy is not supported"},
    [VHOST_USER_GET_INFLIGHT_FD] = {NOT_OFFERED, "would pass up memory of the backend"},
    [VHOST_USER_SET_INFLIGHT_FD] = {NOT_OFFERED, "would pass memory separately"},
    [VHOST_USER_GPU_SET_SOCKET] = {NOT_OFFERED, "would pass a connection"},
    [VHOST_USER_RESET_DEVICE] = {NOT_OFFERED, "rings are stopped one by one"},
    [VHOST_USER_VRING_KICK] = {NOT_OFFERED, "rings use eventfds"},
    [VHOST_USER_GET_MAX_MEM_SLOTS] = {NOT_OFFERED, "memory is passed as a whole table"},
    [VHOST_USER_ADD_MEM_REG] = {NOT_OFFERED, "memory is passed as a whole table"},
    [VHOST_USER_REM_MEM_REG] = {NOT_OFFERED, "memory is passed as a whole table"},
    [VHOST_USER_SET_STATUS] = {NOT_OFFERED, "QEMU owns the device's status"},
    [VHOST_USER_GET_STATUS] = {NOT_OFFERED, "QEMU owns the device's status"},
    [VHOST_USER_GET_SHARED_OBJECT] = {NOT_OFFERED, "would pass up a descriptor of the backend"},
    [VHOST_USER_SET_DEVICE_STATE_FD] = {NOT_OFFERED, "would pass a descriptor"},
    [VHOST_USER_CHECK_DEVICE_STATE] = {NOT_OFFERED, "migration is not supported"},
    [VHOST_USER_GET_SHMEM_CONFIG] = {NOT_OFFERED, "device memory is not supported"},
};

static bool is_socket(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Memory's own descriptors are looked at where they are used. */
static bool has_its_fds(const struct vhost_user_message *question, enum rule_fds fds)
{
    uint64_t vring = 0;

    switch (fds) {
    case NO_FD:
        break;
    case SOCKET:
        return question->fd_count == 1 && is_socket(question->fds[0]);
    case VRING_EVENT:
        (void)vhost_user_read(question, 0, &vring, sizeof(vring));
        if (vring & ~(uint64_t)(VHOST_USER_VRING_INDEX_MASK | VHOST_USER_VRING_NO_FD))
            return false;
        if (vring & VHOST_USER_VRING_NO_FD)
            break;
        return question->fd_count == 1 && descriptor_is_event(question->fds[0]);
    case MEMORY:
        return descriptors_may_go(question);
    }
    return question->fd_count == 0;
}

/* Of those that begin with a vring's index and are no descriptors'. */
static bool names_a_vring(const struct vhost_user_message *question)
{
    struct vhost_user_vring_state state;

    switch (question->request) {
    case VHOST_USER_SET_VRING_NUM:
        return vhost_user_read(question, 0, &state, sizeof(state)) &&
               state.index <= VHOST_USER_VRING_INDEX_MASK && state.number > 0 &&
               state.number <= RING_ENTRIES_MAX;
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_ENABLE:
        return vhost_user_read(question, 0, &state, sizeof(state)) &&
               state.index <= VHOST_USER_VRING_INDEX_MASK;
    default:
        return true;
    }
}

enum filter_way filter_judge(const struct vhost_user_message *question, const char **ret_reason)
{
    const struct rule *rule = &rules[question->request];

    *ret_reason = rule->why;
    if (rule->way == FILTER_REFUSE)
        return FILTER_REFUSE;
    *ret_reason = "QEMU sent a message that vhost-user does not define";
    if ((question->flags & ~VHOST_USER_FLAG_NEED_REPLY) != VHOST_USER_VERSION ||
        (rule->size != ANY_SIZE && question->size != rule->size) ||
        !has_its_fds(question, rule->fds) || !names_a_vring(question))
        return FILTER_REFUSE;
    return rule->way;
}

/* A message of 64 bits. */
static void change(struct vhost_user_message *message, uint64_t keep, uint64_t add)
{
    uint64_t bits;

    if (!vhost_user_read(message, 0, &bits, sizeof(bits)))
        return;
    bits = (bits & keep) | add;
    memcpy(message->payload, &bits, sizeof(bits));
}

void filter_down(struct vhost_user_message *question)
{
    if (question->request == VHOST_USER_SET_FEATURES)
        change(question, ~(PLATFORM | HIDDEN_FEATURES), 0);
    else if (question->request == VHOST_USER_SET_PROTOCOL_FEATURES)
        change(question, PROTOCOL_FEATURES, 0);
}

bool filter_up(const struct vhost_user_message *asked, struct vhost_user_message *answer)
{
    struct vhost_user_vring_state stopped, wanted;

    /* All that may be asked has an answer of 64 bits. */
    if (answer->request != asked->request || answer->size != U64 || answer->fd_count > 0 ||
        (answer->flags & ~VHOST_USER_FLAG_NEED_REPLY) !=
            (VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY))
        return false;
    switch (answer->request) {
    case VHOST_USER_GET_FEATURES:
        change(answer, ~HIDDEN_FEATURES, PLATFORM);
        return true;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        change(answer, PROTOCOL_FEATURES, VHOST_USER_FEATURE_BACKEND_REQ);
        return true;
    case VHOST_USER_GET_VRING_BASE:
        return vhost_user_read(asked, 0, &wanted, sizeof(wanted)) &&
               vhost_user_read(answer, 0, &stopped, sizeof(stopped)) &&
               stopped.index == wanted.index && stopped.number <= UINT16_MAX;
    default:
        return true;
    }
}
