/* domain xml: what guestlink needs of a domain's XML. */
#include "domain_xml.h"

#include "base/json.h"

#include <grp.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Nothing is fetched, no entity is expanded, and what is wrong is no line on stderr. */
#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

#define PORTS_MAX    256u /* a PCI domain has so many buses */
#define DEVICES_MAX  256u
#define CHANNELS_MAX 32u

static bool is_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* The first child of that name behind @p after (NULL: of all). @return NULL: there is none */
static xmlNode *next_child(const xmlNode *parent, const xmlNode *after, const char *name)
{
    xmlNode *node = after ? after->next : parent ? parent->children : NULL;

    while (node && !is_named(node, name))
        node = node->next;
    return node;
}

static xmlNode *child(const xmlNode *parent, const char *name)
{
    return next_child(parent, NULL, name);
}

/* @return to be freed with xmlFree(); NULL: there is none */
static char *attribute(xmlNode *node, const char *name)
{
    return node ? (char *)xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
}

static bool is_attribute(xmlNode *node, const char *name, const char *value)
{
    char *text = attribute(node, name);
    bool is = text && strcmp(text, value) == 0;

    xmlFree(text);
    return is;
}

/* @param text  consumed; NULL: nothing is added */
static void take_text(struct json_object *object, const char *key, char *text)
{
    if (text)
        json_add_text(object, key, text);
    xmlFree(text);
}

static void add_attribute(struct json_object *object, const char *key, xmlNode *node,
                          const char *name)
{
    take_text(object, key, attribute(node, name));
}

static void add_content(struct json_object *object, const char *key, xmlNode *node)
{
    if (node)
        take_text(object, key, (char *)xmlNodeGetContent(node));
}

/* @return false: it is no number of 32 bits */
static bool read_number(const char *text, uint32_t *ret_number)
{
    char *end = NULL;
    unsigned long long number = text ? strtoull(text, &end, 0) : 0;

    if (!text || end == text || *end || *text == '-' || number >= UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* ---- who QEMU is */

static bool read_user(const char *text, uint32_t *ret_uid)
{
    const struct passwd *user;

    if (read_number(text[0] == '+' ? text + 1 : text, ret_uid))
        return true;
    user = getpwnam(text);
    if (user)
        *ret_uid = user->pw_uid;
    return user != NULL;
}

static bool read_group(const char *text, uint32_t *ret_gid)
{
    const struct group *group;

    if (read_number(text[0] == '+' ? text + 1 : text, ret_gid))
        return true;
    group = getgrnam(text);
    if (group)
        *ret_gid = group->gr_gid;
    return group != NULL;
}

/* "+64055:+108" */
static void add_owner(struct json_object *to, xmlNode *label)
{
    char *text = label ? (char *)xmlNodeGetContent(label) : NULL;
    char *colon = text ? strchr(text, ':') : NULL;
    uint32_t uid, gid;

    if (colon) {
        *colon = '\0';
        if (read_user(text, &uid) && read_group(colon + 1, &gid)) {
            json_add_number(to, "uid", uid);
            json_add_number(to, "gid", gid);
        }
    }
    xmlFree(text);
}

static void add_security(struct json_object *to, const xmlNode *domain)
{
    struct json_object *models = json_object_new_array();

    for (xmlNode *node = child(domain, "seclabel"); node;
         node = next_child(domain, node, "seclabel")) {
        char *model = attribute(node, "model");

        if (model)
            (void)json_object_array_add(models, json_object_new_string(model));
        if (model && strcmp(model, "dac") == 0)
            add_owner(to, child(node, "label"));
        xmlFree(model);
    }
    (void)json_object_object_add(to, "security", models);
}

/* ---- its memory and its ports */

static void add_memory(struct json_object *to, const xmlNode *domain)
{
    struct json_object *memory = json_object_new_object();
    const xmlNode *backing = child(domain, "memoryBacking");
    const xmlNode *numa = child(child(domain, "cpu"), "numa");
    unsigned cells = 0, shared = 0;

    for (xmlNode *cell = child(numa, "cell"); cell; cell = next_child(numa, cell, "cell")) {
        cells++;
        shared += is_attribute(cell, "memAccess", "shared");
    }
    json_add_flag(memory, "shared", is_attribute(child(backing, "access"), "mode", "shared"));
    add_attribute(memory, "source", child(backing, "source"), "type");
    json_add_number(memory, "cells", cells);
    json_add_number(memory, "cells_shared", shared);
    (void)json_object_object_add(to, "memory", memory);
}

/* The bus that a device is on, by its PCI address. */
static bool read_bus(const xmlNode *device, uint32_t *ret_bus)
{
    xmlNode *address = child(device, "address");
    char *bus = is_attribute(address, "type", "pci") ? attribute(address, "bus") : NULL;
    bool is = read_number(bus, ret_bus);

    xmlFree(bus);
    return is;
}

static bool is_root_port(xmlNode *node, uint32_t *ret_index)
{
    char *index = is_named(node, "controller") && is_attribute(node, "type", "pci") &&
                          is_attribute(node, "model", "pcie-root-port")
                      ? attribute(node, "index")
                      : NULL;
    bool is = read_number(index, ret_index) && *ret_index < PORTS_MAX;

    xmlFree(index);
    return is;
}

static void add_ports(struct json_object *to, const xmlNode *devices)
{
    struct json_object *ports = json_object_new_object(), *free_ones = json_object_new_array();
    bool is_port[PORTS_MAX] = {false}, is_taken[PORTS_MAX] = {false};
    uint32_t number, all = 0;

    for (xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
        if (is_root_port(node, &number))
            is_port[number] = true;
        if (node->type == XML_ELEMENT_NODE && read_bus(node, &number) && number < PORTS_MAX)
            is_taken[number] = true;
    }
    for (number = 0; number < PORTS_MAX; number++) {
        all += is_port[number];
        if (is_port[number] && !is_taken[number])
            (void)json_object_array_add(free_ones, json_object_new_int((int)number));
    }
    json_add_number(ports, "all", all);
    (void)json_object_object_add(ports, "free", free_ones);
    (void)json_object_object_add(to, "ports", ports);
}

/* ---- its devices */

static struct json_object *share_of(xmlNode *node)
{
    struct json_object *share = json_texts("kind", "share", NULL);

    add_attribute(share, "tag", child(node, "target"), "dir");
    add_attribute(share, "socket", child(node, "source"), "socket");
    return share;
}

/* What it is connected to: its key depends on the type. */
static void add_source(struct json_object *adapter, xmlNode *node, const char *type)
{
    xmlNode *source = child(node, "source");

    if (strcmp(type, "network") == 0)
        add_attribute(adapter, "source", source, "network");
    else if (strcmp(type, "bridge") == 0)
        add_attribute(adapter, "source", source, "bridge");
    else if (strcmp(type, "vhostuser") == 0)
        add_attribute(adapter, "source", source, "path");
    else if (strcmp(type, "ethernet") == 0)
        add_attribute(adapter, "source", child(node, "target"), "dev");
}

static struct json_object *adapter_of(xmlNode *node)
{
    struct json_object *adapter = json_texts("kind", "adapter", NULL);
    char *network = attribute(child(node, "source"), "network");
    /* One of a network on a bridge is a bridge's while the domain runs, and still names the
     * network. */
    char *type = network ? (char *)xmlStrdup((const xmlChar *)"network") : attribute(node, "type");

    xmlFree(network);
    if (type) {
        json_add_text(adapter, "type", type);
        add_source(adapter, node, type);
    }
    add_attribute(adapter, "mac", child(node, "mac"), "address");
    xmlFree(type);
    return adapter;
}

/* @return NULL: it is not one of ours */
static struct json_object *device_of(xmlNode *node)
{
    char *alias = attribute(child(node, "alias"), "name");
    struct json_object *device = NULL;

    if (alias && strncmp(alias, DOMAIN_XML_ALIAS, sizeof(DOMAIN_XML_ALIAS) - 1) == 0) {
        if (is_named(node, "filesystem"))
            device = share_of(node);
        else if (is_named(node, "interface"))
            device = adapter_of(node);
        if (device) {
            json_add_text(device, "alias", alias);
            json_add_flag(device, "iommu", is_attribute(child(node, "driver"), "iommu", "on"));
        }
    }
    xmlFree(alias);
    return device;
}

static void add_devices(struct json_object *to, const xmlNode *devices)
{
    struct json_object *list = json_object_new_array();

    for (xmlNode *node = devices ? devices->children : NULL;
         node && json_object_array_length(list) < DEVICES_MAX; node = node->next) {
        struct json_object *device = node->type == XML_ELEMENT_NODE ? device_of(node) : NULL;

        if (device)
            (void)json_object_array_add(list, device);
    }
    (void)json_object_object_add(to, "devices", list);
}

/* ---- how its guest reaches the host */

static void add_doors(struct json_object *to, const xmlNode *devices)
{
    struct json_object *channels = json_object_new_array();
    char *cid = attribute(child(child(devices, "vsock"), "cid"), "address");
    uint32_t number;

    if (read_number(cid, &number))
        json_add_number(to, "cid", number);
    xmlFree(cid);
    for (xmlNode *node = child(devices, "channel");
         node && json_object_array_length(channels) < CHANNELS_MAX;
         node = next_child(devices, node, "channel")) {
        xmlNode *target = child(node, "target");
        char *name = is_attribute(target, "type", "virtio") ? attribute(target, "name") : NULL;

        if (name)
            (void)json_object_array_add(channels, json_object_new_string(name));
        xmlFree(name);
    }
    (void)json_object_object_add(to, "channels", channels);
}

/* A balloon, or virtio-mem: hostd/qemu/discard.h says what is bad about them. */
static bool discards(const xmlNode *devices)
{
    xmlNode *balloon = child(devices, "memballoon");

    for (xmlNode *node = child(devices, "memory"); node; node = next_child(devices, node, "memory"))
        if (is_attribute(node, "model", "virtio-mem"))
            return true;
    return balloon && !is_attribute(balloon, "model", "none");
}

static xmlDoc *parse(const char *xml, size_t size)
{
    return size <= DOMAIN_XML_SIZE ? xmlReadMemory(xml, (int)size, NULL, NULL, OPTIONS) : NULL;
}

struct json_object *domain_xml_describe(const char *xml, size_t size)
{
    xmlDoc *document = parse(xml, size);
    const xmlNode *domain = document ? xmlDocGetRootElement(document) : NULL;
    struct json_object *object =
        domain && is_named(domain, "domain") ? json_object_new_object() : NULL;

    if (object) {
        const xmlNode *devices = child(domain, "devices"), *os = child(domain, "os");

        add_content(object, "name", child(domain, "name"));
        add_content(object, "uuid", child(domain, "uuid"));
        add_content(object, "kernel", child(os, "kernel"));
        add_content(object, "cmdline", child(os, "cmdline"));
        add_security(object, domain);
        add_memory(object, domain);
        add_ports(object, devices);
        add_doors(object, devices);
        add_devices(object, devices);
        json_add_flag(object, "discards", discards(devices));
    }
    xmlFreeDoc(document);
    return object;
}

char *domain_xml_text(const char *xml, size_t size)
{
    xmlDoc *document = parse(xml, size);
    xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;
    char *content = root ? (char *)xmlNodeGetContent(root) : NULL;
    char *text = content ? strdup(content) : NULL;

    xmlFree(content);
    xmlFreeDoc(document);
    return text;
}
