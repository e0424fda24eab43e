/* description: what guestlink-libvirt says of a domain, read by type. */
#include "description.h"

#include "base/json.h"
#include "libvirt.h"

#include <string.h>

/* Devices, and ports, that are looked at. */
#define ITEMS_MAX 256u

#define NOT_SHARED                                                                                 \
    "the domain's memory is not shared; give it <memoryBacking><source type='memfd'/><access "     \
    "mode='shared'/></memoryBacking>, and memAccess='shared' in each NUMA cell, and start it "     \
    "again"

static bool read_id(struct json_object *value, uint32_t *ret_id)
{
    int64_t number;

    if (!json_as_number(value, &number) || number < 0 || number >= UINT32_MAX)
        return false;
    *ret_id = (uint32_t)number;
    return true;
}

bool description_is_active(struct json_object *description)
{
    return json_as_flag(json_member(description, "active"));
}

int64_t description_run(struct json_object *description)
{
    int64_t run;

    return json_as_number(json_member(description, "run"), &run) && run >= 0 ? run : -1;
}

bool description_owner(struct json_object *description, uid_t *ret_uid, gid_t *ret_gid)
{
    return read_id(json_member(description, "uid"), ret_uid) &&
           read_id(json_member(description, "gid"), ret_gid);
}

const char *description_memory_obstacle(struct json_object *description)
{
    struct json_object *memory = json_member(description, "memory");
    int64_t cells = 0, shared = 0;

    (void)json_as_number(json_member(memory, "cells"), &cells);
    (void)json_as_number(json_member(memory, "cells_shared"), &shared);
    /* A cell that says nothing is as <access> says. */
    return json_as_flag(json_member(memory, "shared")) || (cells > 0 && shared == cells)
               ? NULL
               : NOT_SHARED;
}

bool description_discards(struct json_object *description)
{
    return json_as_flag(json_member(description, "discards"));
}

static const char *text_of(struct json_object *object, const char *key)
{
    const char *text = json_as_text(json_member(object, key), LIBVIRT_TEXT_MAX);

    return text ? text : "";
}

bool description_find(struct json_object *description, const char *alias,
                      struct description_device *ret_device)
{
    struct json_object *devices = json_member(description, "devices");

    for (size_t i = 0; i < json_count(devices) && i < ITEMS_MAX; i++) {
        struct json_object *device = json_element(devices, i);

        if (strcmp(text_of(device, "alias"), alias) != 0)
            continue;
        *ret_device = (struct description_device){
            .is_share = strcmp(text_of(device, "kind"), "share") == 0,
            .tag = text_of(device, "tag"),
            .socket = text_of(device, "socket"),
            .type = text_of(device, "type"),
            .source = text_of(device, "source"),
            .mac = text_of(device, "mac"),
            .iommu = json_as_flag(json_member(device, "iommu")),
        };
        return true;
    }
    return false;
}

unsigned description_ports(struct json_object *description, bool ret_free[DESCRIPTION_PORTS])
{
    struct json_object *list = json_member(json_member(description, "ports"), "free");
    unsigned count = 0;
    int64_t bus;

    memset(ret_free, 0, DESCRIPTION_PORTS * sizeof(*ret_free));
    for (size_t i = 0; i < json_count(list) && i < ITEMS_MAX; i++) {
        if (!json_as_number(json_element(list, i), &bus) || bus < 1 || bus >= DESCRIPTION_PORTS ||
            ret_free[bus])
            continue;
        ret_free[bus] = true;
        count++;
    }
    return count;
}
