/*
 * vhost user: messages of the vhost-user protocol (QEMU's docs/interop/vhost-user), whole, with the
 * file descriptors that come with them. Nothing here blocks: neither side trusts the other, nor is
 * trusted.
 */
#ifndef GUESTLINK_HOSTD_RELAY_VHOST_USER_H
#define GUESTLINK_HOSTD_RELAY_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one message: a memory table has at most 8 regions, each with a file. */
#define VHOST_USER_FDS_MAX 8u
/* The longest payloads are memory tables and device configurations, a few hundred bytes. */
#define VHOST_USER_PAYLOAD_MAX 4096u

#define VHOST_USER_VERSION         0x1u
#define VHOST_USER_FLAG_VERSION    0x3u
#define VHOST_USER_FLAG_REPLY      0x4u
#define VHOST_USER_FLAG_NEED_REPLY 0x8u

#define VHOST_USER_HEADER_SIZE 12u

/* Of payloads: a table's regions stand behind a count and padding, a single one behind padding. */
#define VHOST_USER_REGIONS_OFFSET 8u

/* A vring's descriptor: bits 0 to 7 of the payload are the vring's index, bit 8 says that none
 * comes. */
#define VHOST_USER_VRING_INDEX_MASK 0xffu
#define VHOST_USER_VRING_NO_FD      0x100u

/* Protocol features: a connection on which the backend asks, and sends descriptors. */
#define VHOST_USER_FEATURE_BACKEND_REQ     (UINT64_C(1) << 5)
#define VHOST_USER_FEATURE_BACKEND_SEND_FD (UINT64_C(1) << 10)

/* Requests of the frontend, numbered as in the protocol from 1 to the last. */
enum vhost_user_request {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_RESET_OWNER = 4,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_LOG_BASE = 6,
    VHOST_USER_SET_LOG_FD = 7,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_SET_VRING_ERR = 14,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_GET_QUEUE_NUM = 17,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_SEND_RARP = 19,
    VHOST_USER_NET_SET_MTU = 20,
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_IOTLB_MSG = 22,
    VHOST_USER_SET_VRING_ENDIAN = 23,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_SET_CONFIG = 25,
    VHOST_USER_CREATE_CRYPTO_SESSION = 26,
    VHOST_USER_CLOSE_CRYPTO_SESSION = 27,
    VHOST_USER_POSTCOPY_ADVISE = 28,
    VHOST_USER_POSTCOPY_LISTEN = 29,
    VHOST_USER_POSTCOPY_END = 30,
    VHOST_USER_GET_INFLIGHT_FD = 31,
    VHOST_USER_SET_INFLIGHT_FD = 32,
    VHOST_USER_GPU_SET_SOCKET = 33,
    VHOST_USER_RESET_DEVICE = 34,
    VHOST_USER_VRING_KICK = 35,
    VHOST_USER_GET_MAX_MEM_SLOTS = 36,
    VHOST_USER_ADD_MEM_REG = 37,
    VHOST_USER_REM_MEM_REG = 38,
    VHOST_USER_SET_STATUS = 39,
    VHOST_USER_GET_STATUS = 40,
    VHOST_USER_GET_SHARED_OBJECT = 41,
    VHOST_USER_SET_DEVICE_STATE_FD = 42,
    VHOST_USER_CHECK_DEVICE_STATE = 43,
    VHOST_USER_GET_SHMEM_CONFIG = 44,
    VHOST_USER_REQUEST_LAST = VHOST_USER_GET_SHMEM_CONFIG,
};

struct vhost_user_region {
    uint64_t guest_address, size, user_address, file_offset;
};

struct vhost_user_vring_state {
    uint32_t index, number;
};

struct vhost_user_vring_address {
    uint32_t index, flags;
    uint64_t descriptors, used, available, log;
};

struct vhost_user_message {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of the payload */
    uint8_t payload[VHOST_USER_PAYLOAD_MAX];
    int fds[VHOST_USER_FDS_MAX];
    size_t fd_count;
    size_t received; /* bytes of header and payload that are there; 0 in one that is to be read */
    uint8_t header[VHOST_USER_HEADER_SIZE];
};

/*
 * Reads what there is of a message.
 *
 * @param message  where an earlier call left off, or `received` is 0. Its descriptors are the
 *                 caller's, for vhost_user_close()
 * @return 1: it is whole; 0: more of it must come; -EPIPE: the stream ended between two messages;
 *         -ECONNRESET: it ended within one; -EPROTO: a request that the protocol does not have, too
 *         long, too many descriptors; -errno. On failure nothing is left of the message
 */
int vhost_user_receive(int fd, struct vhost_user_message *message);

/* Writes a message, with its descriptors, which stay open here. @return 0; -EAGAIN: nothing was
 * written, for the other side does not read; -errno */
int vhost_user_send(int fd, const struct vhost_user_message *message);

/* Closes the message's descriptors, and forgets what was read of it. */
void vhost_user_close(struct vhost_user_message *message);

/* Copies a part of the payload. @return false: it has no such part */
bool vhost_user_read(const struct vhost_user_message *message, size_t offset, void *data,
                     size_t size);

/* True if the answer to a request says more than whether it was done. */
bool vhost_user_asks(uint32_t request);

/* True if the frontend waits for an answer to it: there is exactly one. */
bool vhost_user_has_answer(const struct vhost_user_message *message);

#endif
