/*
 * guest CID: who a VM is to its host. A process that holds /dev/vhost-vsock can give itself any CID
 * that no running VM has, so it is set before QEMU starts, and QEMU cannot set another.
 */
#ifndef GUESTLINK_RUN_GUEST_CID_H
#define GUESTLINK_RUN_GUEST_CID_H

#include <stdint.h>

/*
 * Gives the vhost-vsock device that is open at @p fd its CID.
 *
 * @return 0; -EADDRINUSE: a running VM has it; -EINVAL: no guest can have it (0 to 2, all ones);
 *         -ENOTTY: the descriptor is something else; or another -errno
 */
int guest_cid_set(int fd, uint32_t cid);

/*
 * From here on, in this process and in whatever it becomes, setting the CID of a vhost-vsock device
 * does nothing and succeeds: QEMU does it once more by itself, with the CID that is set already. No
 * way takes this back. Sets no_new_privs.
 *
 * @return 0 or -errno
 */
int guest_cid_seal(void);

#endif
