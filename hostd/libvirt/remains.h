/*
 * remains: parts of a device in QEMU that libvirt knows nothing of.
 *
 * A libvirtd that is killed between two steps of an attachment or a removal leaves its netdev, its
 * chardev or the device itself in QEMU and in no XML. Each later attachment of that name fails
 * then.
 */
#ifndef GUESTLINK_LIBVIRT_REMAINS_H
#define GUESTLINK_LIBVIRT_REMAINS_H

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Finds in QEMU's words what is in an attachment's way.
 *
 * @param text  "… Duplicate ID 'hostua-guestlink-net-eth0'"; or "… slot 0 function 0 not available
 * for TYPE, in use by TYPE,id=ua-guestlink-share-c", where libvirt takes that slot to be free
 * @return false: something else was refused, or it is not guestlink's
 */
bool remains_find(const char *text, char *ret_id, size_t capacity);

/* Asks QEMU to remove what libvirt's last error names, and first the device that uses it. QEMU
 * removes a device once the guest's driver has released it.
 * @return false: it names nothing of that kind */
bool remains_remove(virDomainPtr domain);

#endif
