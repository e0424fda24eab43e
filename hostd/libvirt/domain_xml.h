/*
 * domain xml: what guestlink needs of a domain's XML, as the JSON that the daemon reads.
 *
 *   {"name", "uuid", "uid", "gid", "security": ["dac", …],
 *    "memory": {"shared", "source", "cells", "cells_shared"}, "ports": {"all", "free": [BUS, …]},
 *    "cid", "channels": [NAME, …], "discards", "kernel", "cmdline",
 *    "devices": [{"alias", "kind": "share", "tag", "socket", "iommu"},
 *                {"alias", "kind": "adapter", "type", "source", "mac", "iommu"}]}
 *
 * A key whose fact is not there is left out. Devices are those whose alias is guestlink's.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_DOMAIN_XML_H
#define GUESTLINK_HOSTD_LIBVIRT_DOMAIN_XML_H

#include <json-c/json.h>
#include <stddef.h>

/* With this begin the aliases of guestlink's devices. */
#define DOMAIN_XML_ALIAS "ua-guestlink-"

/* The element in <metadata> that makes a domain one of guestlink's VMs. */
#define DOMAIN_XML_NAMESPACE "urn:guestlink:vm:1"

#define DOMAIN_XML_SIZE ((size_t)4 * 1024 * 1024)

/* @return the description, or NULL: it is no domain's XML, too long, or there is no memory */
struct json_object *domain_xml_describe(const char *xml, size_t size);

/* The text inside of the element that virDomainGetMetadata() gave. @return to be freed; or NULL */
char *domain_xml_text(const char *xml, size_t size);

#endif
