/*
 * description: what guestlink-libvirt says of a domain (libvirt/domain_xml.h), read by type: it is
 * a program with libvirt in it, and libvirt says what a QEMU says that its guest may have taken
 * over.
 *
 * Each takes any JSON value.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_DESCRIPTION_H
#define GUESTLINK_HOSTD_DOMAIN_DESCRIPTION_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* PCI buses: 0 has the ports themselves. */
#define DESCRIPTION_PORTS 256u

struct description_device {
    bool is_share;      /* else an adapter */
    const char *tag;    /* a share's; each text is "" if it is not there */
    const char *socket; /* a share's */
    const char *type;   /* an adapter's */
    const char *source; /* an adapter's: network, bridge, interface or socket */
    const char *mac;    /* an adapter's */
    bool iommu;
};

bool description_is_active(struct json_object *description);

/* Which of the domain's runs it is; another number is another QEMU. @return -1: it does not say */
int64_t description_run(struct json_object *description);

/* QEMU's user and group. @return false: it does not say, and they are the daemon's */
bool description_owner(struct json_object *description, uid_t *ret_uid, gid_t *ret_gid);

/* Why the guest's memory is not shared with what serves its devices, and what to do; static. NULL:
 * it is shared. */
const char *description_memory_obstacle(struct json_object *description);

/* True if the domain has a device that takes pages of the guest's memory away. */
bool description_discards(struct json_object *description);

/* The devices' texts are the description's. @return false: no device has that alias */
bool description_find(struct json_object *description, const char *alias,
                      struct description_device *ret_device);

/* Marks the buses of free root ports. @return how many there are */
unsigned description_ports(struct json_object *description, bool ret_free[DESCRIPTION_PORTS]);

#endif
