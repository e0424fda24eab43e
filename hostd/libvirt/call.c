/* call: what the daemon can ask of libvirt. */
#include "call.h"

#include "base/json.h"
#include "domain_xml.h"
#include "line.h"
#include "remains.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)65536)

/* Domains with guestlink's element that are told. */
#define LIST_MAX 4096

static struct json_object *describe(virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, 0);
    struct json_object *description = xml ? domain_xml_describe(xml, strlen(xml)) : NULL;
    int state = VIR_DOMAIN_NOSTATE, reason, active;

    free(xml);
    if (!description)
        return NULL;
    active = virDomainIsActive(domain);
    if (active < 0) {
        json_object_put(description);
        return NULL;
    }
    (void)virDomainGetState(domain, &state, &reason, 0);
    json_add_flag(description, "active", active == 1);
    json_add_flag(description, "paused", state == VIR_DOMAIN_PAUSED);
    if (active == 1)
        json_add_number(description, "run", virDomainGetID(domain));
    return description;
}

struct json_object *call_describe(virConnectPtr connection, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(connection, name);
    struct json_object *description = domain ? describe(domain) : NULL;

    if (description) /* else that would forget the error; the program is about to end */
        (void)virDomainFree(domain);
    return description;
}

/* @param text  of guestlink's element. @return NULL: it is gone */
static struct json_object *entry_of(virDomainPtr domain, const char *text)
{
    struct json_object *description = describe(domain), *entry;
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (!description || virDomainGetUUIDString(domain, uuid) < 0) {
        json_object_put(description);
        return NULL;
    }
    entry = json_texts("name", virDomainGetName(domain), "uuid", uuid, "vm", text, NULL);
    if (json_member(description, "cid"))
        (void)json_object_object_add(entry, "cid",
                                     json_object_get(json_member(description, "cid")));
    json_object_put(description);
    return entry;
}

/* The entries of domains that have guestlink's element in their metadata. @return NULL: libvirt's
 * error says; or the connection ended, and with it the domains' answers */
static struct json_object *list(virConnectPtr connection)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(connection, &domains, 0);
    struct json_object *found = count >= 0 ? json_object_new_array() : NULL;

    for (int i = 0; i < count; i++) {
        char *xml = i < LIST_MAX ? virDomainGetMetadata(domains[i], VIR_DOMAIN_METADATA_ELEMENT,
                                                        DOMAIN_XML_NAMESPACE, 0)
                                 : NULL;
        char *text = xml ? domain_xml_text(xml, strlen(xml)) : NULL;
        struct json_object *entry = text ? entry_of(domains[i], text) : NULL;

        if (entry)
            (void)json_object_array_add(found, entry);
        free(text);
        free(xml);
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    if (found && virConnectIsAlive(connection) == 0) {
        json_object_put(found);
        found = NULL;
    }
    return found;
}

/* How often, and how long after each other (µs): a device goes when the guest let go of it. */
#define REMAINS_TRIES    20
#define REMAINS_PAUSE_US 100000

/* @return {} or NULL: libvirt's error says */
static struct json_object *attach(virDomainPtr domain, struct json_object *request)
{
    const char *xml = json_as_text(json_member(request, "xml"), TEXT_MAX);

    for (int i = 0; i < REMAINS_TRIES; i++) {
        if (virDomainAttachDeviceFlags(domain, xml ? xml : "", VIR_DOMAIN_AFFECT_LIVE) == 0)
            return json_object_new_object();
        if (i + 1 == REMAINS_TRIES || !remains_remove(domain))
            return NULL;
        (void)usleep(i == 0 ? 0 : REMAINS_PAUSE_US);
    }
    return NULL;
}

static struct json_object *detach(virDomainPtr domain, struct json_object *request)
{
    const char *alias = json_as_text(json_member(request, "alias"), TEXT_MAX);

    return virDomainDetachDeviceAlias(domain, alias ? alias : "", VIR_DOMAIN_AFFECT_LIVE) == 0
               ? json_object_new_object()
               : NULL;
}

static struct json_object *perform(virConnectPtr connection, virDomainPtr domain, const char *call,
                                   struct json_object *request)
{
    if (strcmp(call, "list") == 0)
        return list(connection);
    if (!domain)
        return NULL;
    if (strcmp(call, "describe") == 0)
        return describe(domain);
    if (strcmp(call, "attach") == 0)
        return attach(domain, request);
    return strcmp(call, "detach") == 0 ? detach(domain, request) : NULL;
}

static struct json_object *last_error(void)
{
    bool is_libvirt_s = virGetLastErrorCode() != VIR_ERR_OK;

    return json_members(
        "code", json_object_new_int(is_libvirt_s ? virGetLastErrorCode() : VIR_ERR_INVALID_ARG),
        "text",
        json_object_new_string(
            is_libvirt_s ? virGetLastErrorMessage()
                         : "unknown call, no domain, or a description that cannot be read"),
        NULL);
}

struct json_object *call_answer(virConnectPtr connection, struct json_object *request)
{
    const char *call = json_as_text(json_member(request, "call"), TEXT_MAX);
    const char *name = json_as_text(json_member(request, "domain"), TEXT_MAX);
    struct json_object *id = json_object_get(json_member(request, "id")), *result, *answer;
    virDomainPtr domain;

    virResetLastError();
    domain = name ? virDomainLookupByName(connection, name) : NULL;
    result = perform(connection, domain, call ? call : "", request);
    if (result)
        answer = json_members("id", id, "result", result, NULL);
    else
        answer = json_members("id", id, "error", last_error(), NULL);
    if (!result && virConnectIsAlive(connection) == 0)
        line_end(CALL_CONNECTION_CLOSED);
    if (domain) /* last: it forgets the error */
        (void)virDomainFree(domain);
    return answer;
}
