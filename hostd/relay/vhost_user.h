/*
 * vhost user: messages of the vhost-user protocol (QEMU's docs/interop/vhost-user), whole, with the
 * file descriptors that come with them.
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

#define VHOST_USER_FLAG_REPLY      0x4u
#define VHOST_USER_FLAG_NEED_REPLY 0x8u

/* Requests of the frontend, numbered as in the protocol; those that the relay must know. */
enum vhost_user_request {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_SET_MEM_TABLE = 5,
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
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_GET_MAX_MEM_SLOTS = 36,
    VHOST_USER_ADD_MEM_REG = 37,
    VHOST_USER_REM_MEM_REG = 38,
    VHOST_USER_GET_STATUS = 40,
};

struct vhost_user_message {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of the payload */
    uint8_t payload[VHOST_USER_PAYLOAD_MAX];
    int fds[VHOST_USER_FDS_MAX];
    size_t fd_count;
};

/*
 * Reads a message; blocks until it is whole.
 *
 * @param ret_message  its descriptors are the caller's, for vhost_user_close()
 * @return 1; 0 at the end of the stream; -errno (-EPROTO: too long)
 */
int vhost_user_receive(int fd, struct vhost_user_message *ret_message);

/* Writes a message, with its descriptors, which stay open here. @return 0 or -errno */
int vhost_user_send(int fd, const struct vhost_user_message *message);

/* Closes the message's descriptors. */
void vhost_user_close(struct vhost_user_message *message);

/* True if the frontend waits for an answer to it. */
bool vhost_user_has_answer(const struct vhost_user_message *message);

#endif
