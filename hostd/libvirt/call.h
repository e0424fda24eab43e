/*
 * call: what the daemon can ask of libvirt. Each blocks for as long as libvirt does, which cannot
 * be helped: a call of libvirt's cannot be cancelled.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_CALL_H
#define GUESTLINK_HOSTD_LIBVIRT_CALL_H

#include <json-c/json.h>
#include <libvirt/libvirt.h>

/* Why the program ends when the connection does. */
#define CALL_CONNECTION_CLOSED "libvirt closed the connection (was libvirtd restarted?)"

/*
 * Does what a request asks. Ends the program if the connection ended meanwhile: that the call
 * failed then says nothing of the domain, and an answer would.
 *
 * @param request  {"id", "call": "describe" | "attach" | "detach" | "list", "domain", "xml",
 * "alias"}
 * @return {"id", "result"} or {"id", "error": {"code", "text"}}; NULL: no memory
 */
struct json_object *call_answer(virConnectPtr connection, struct json_object *request);

/* The description of a domain (domain_xml.h), with its state. @return NULL: libvirt's error says */
struct json_object *call_describe(virConnectPtr connection, const char *domain);

#endif
