/*
 * device xml: guestlink's devices as libvirt attaches them, and the aliases by which they are
 * found.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_DEVICE_XML_H
#define GUESTLINK_HOSTD_DOMAIN_DEVICE_XML_H

#include "config/config.h"

#include <stdbool.h>

#define DEVICE_XML_SHARE   "ua-guestlink-share-"
#define DEVICE_XML_ADAPTER "ua-guestlink-net-"

/* A prefix and a name of at most 36 bytes, each of which may take three. */
#define DEVICE_XML_ALIAS_SIZE 160u

/*
 * Writes prefix and name such that libvirt takes it for an alias (letters, digits, `-`, `_`): other
 * bytes, and `_`, become `_` and two hexadecimal digits.
 *
 * @return 0 or -ENAMETOOLONG
 */
int device_xml_alias(const char *prefix, const char *name, char buffer[DEVICE_XML_ALIAS_SIZE]);

/* What both kinds of devices have. */
struct device_xml_place {
    const char *alias;
    unsigned bus; /* the root port; 0: libvirt chooses */
    bool iommu;
};

/* @param queue  descriptors of the request queue; 0: the usual. @return to be freed, or NULL */
char *device_xml_share(const struct device_xml_place *place, const char *tag, const char *socket,
                       unsigned queue);

/* The type that libvirt has for a backend, and the attribute that says where it leads; NULL: it has
 * none. */
const char *device_xml_type(enum config_backend backend);

/* What the adapter leads to, as a description says it; "" if nothing is to be said.
 * @param socket  of its passt */
const char *device_xml_source(const struct config_network *network, const char *socket);

/* @param socket  of its passt, if it has one. @return to be freed, or NULL */
char *device_xml_adapter(const struct device_xml_place *place, const struct config_network *network,
                         const char *socket);

#endif
