/*
 * host_address: where the host is: `vsock:CID:PORT` or `virtio-port:NAME`.
 */
#ifndef GUESTLINK_INIT_HOST_ADDRESS_H
#define GUESTLINK_INIT_HOST_ADDRESS_H

#include <stdint.h>

enum host_address_kind {
    HOST_ADDRESS_VSOCK = 0,
    HOST_ADDRESS_VIRTIO_PORT,
};

#define HOST_ADDRESS_NAME_SIZE 64u

struct host_address {
    enum host_address_kind kind;
    uint32_t cid;
    uint32_t port;
    char name[HOST_ADDRESS_NAME_SIZE]; /* of a virtio port: letters, digits, `.`, `-`, `_` */
};

/* `vsock:2:50000`: VMADDR_CID_HOST and the protocol's port. */
#define HOST_ADDRESS_DEFAULT                                                                       \
    ((struct host_address){.kind = HOST_ADDRESS_VSOCK, .cid = 2, .port = 50000})

/* Reads an address, decimal numbers alone. @return 0, or -EINVAL (@p ret is then unchanged) */
int host_address_parse(const char *text, struct host_address *ret);

#endif
