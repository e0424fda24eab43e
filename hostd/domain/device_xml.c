/* device xml: guestlink's devices as libvirt attaches them. */
#include "device_xml.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int device_xml_alias(const char *prefix, const char *name, char buffer[DEVICE_XML_ALIAS_SIZE])
{
    size_t used = strlen(prefix);

    if (used + strlen(name) * 3 >= DEVICE_XML_ALIAS_SIZE)
        return -ENAMETOOLONG;
    memcpy(buffer, prefix, used + 1);
    for (; *name; name++) {
        bool plain = (isalnum((unsigned char)*name) && (unsigned char)*name < 0x80) || *name == '-';

        used += (size_t)snprintf(buffer + used, DEVICE_XML_ALIAS_SIZE - used,
                                 plain ? "%c" : "_%02x", (unsigned char)*name);
    }
    return 0;
}

/* ='TEXT', with what XML takes for its own written another way. */
static void write_value(FILE *file, const char *name, const char *text)
{
    (void)fprintf(file, " %s='", name);
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", file);
            break;
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '\'':
            (void)fputs("&apos;", file);
            break;
        case '"':
            (void)fputs("&quot;", file);
            break;
        default:
            (void)fputc(*text, file);
        }
    }
    (void)fputc('\'', file);
}

static void write_place(FILE *file, const struct device_xml_place *place)
{
    (void)fputs("<alias", file);
    write_value(file, "name", place->alias);
    (void)fputs("/>", file);
    if (place->bus > 0)
        (void)fprintf(file,
                      "<address type='pci' domain='0x0000' bus='0x%02x' slot='0x00' "
                      "function='0x0'/>",
                      place->bus);
}

/* @return the text, to be freed; NULL: no memory */
static char *finish(FILE *file, char **text)
{
    bool failed = ferror(file) != 0;

    if (fclose(file) == 0 && !failed)
        return *text;
    free(*text);
    return NULL;
}

char *device_xml_share(const struct device_xml_place *place, const char *tag, const char *socket,
                       unsigned queue)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file)
        return NULL;
    (void)fputs("<filesystem type='mount'><driver type='virtiofs'", file);
    if (queue > 0)
        (void)fprintf(file, " queue='%u'", queue);
    (void)fprintf(file, "%s/><source", place->iommu ? " iommu='on'" : "");
    write_value(file, "socket", socket);
    (void)fputs("/><target", file);
    write_value(file, "dir", tag);
    (void)fputs("/>", file);
    write_place(file, place);
    (void)fputs("</filesystem>", file);
    return finish(file, &text);
}

const char *device_xml_type(enum config_backend backend)
{
    switch (backend) {
    case CONFIG_BACKEND_USER:
        return "user";
    case CONFIG_BACKEND_TAP:
        return "ethernet";
    case CONFIG_BACKEND_PASST:
        return "vhostuser";
    case CONFIG_BACKEND_NETWORK:
        return "network";
    case CONFIG_BACKEND_BRIDGE:
        return "bridge";
    case CONFIG_BACKEND_STREAM:
        break;
    }
    return NULL;
}

const char *device_xml_source(const struct config_network *network, const char *socket)
{
    const char *source = network->interface;

    if (network->backend == CONFIG_BACKEND_PASST)
        source = socket;
    return source ? source : "";
}

static void write_source(FILE *file, const struct config_network *network, const char *socket)
{
    const char *source = device_xml_source(network, socket);

    switch (network->backend) {
    case CONFIG_BACKEND_TAP: /* the operator's, made and bridged by him */
        (void)fputs("<target", file);
        write_value(file, "dev", source);
        (void)fputs(" managed='no'/>", file);
        break;
    case CONFIG_BACKEND_PASST:
        (void)fputs("<source type='unix' mode='client'", file);
        write_value(file, "path", source);
        (void)fputs("/>", file);
        break;
    case CONFIG_BACKEND_NETWORK:
    case CONFIG_BACKEND_BRIDGE:
        (void)fputs("<source", file);
        write_value(file, device_xml_type(network->backend), source);
        (void)fputs("/>", file);
        break;
    case CONFIG_BACKEND_USER:
    case CONFIG_BACKEND_STREAM:
        break;
    }
}

char *device_xml_adapter(const struct device_xml_place *place, const struct config_network *network,
                         const char *socket)
{
    char mac[TEXT_MAC_SIZE], *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file)
        return NULL;
    text_mac(network->mac, mac);
    (void)fprintf(file, "<interface type='%s'><mac address='%s'/>",
                  device_xml_type(network->backend), mac);
    write_source(file, network, socket);
    (void)fputs("<model type='virtio'/>", file);
    if (place->iommu)
        (void)fputs("<driver iommu='on'/>", file);
    write_place(file, place);
    (void)fputs("</interface>", file);
    return finish(file, &text);
}
