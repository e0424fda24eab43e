/*
 * address: where a daemon listens, as the configuration writes it.
 */
#ifndef GUESTLINK_HOSTD_ADDRESS_H
#define GUESTLINK_HOSTD_ADDRESS_H

#include <stdint.h>

enum address_family { ADDRESS_VSOCK, ADDRESS_UNIX };

struct address {
    enum address_family family;
    uint32_t cid;     /* vsock: VMADDR_CID_ANY if the text leaves it out */
    uint32_t port;    /* vsock */
    const char *path; /* unix: points into the text */
};

/*
 * Reads "vsock:[CID]:PORT" or "unix:/PATH".
 *
 * @return 0, or -EINVAL
 */
int address_parse(const char *text, struct address *ret_address);

/*
 * The port in the name of a hybrid-vsock socket, "/run/vm/dev.sock_50000".
 *
 * @param ret_base_size  bytes of the path before "_PORT"; may be NULL
 * @return 0, or -EINVAL if the path does not end so
 */
int address_hybrid_port(const char *path, uint32_t *ret_port, int *ret_base_size);

#endif
