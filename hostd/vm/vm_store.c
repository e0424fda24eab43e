/*
 * vm store: what of a VM outlives the daemon. A JSON document:
 *
 *     {"capabilities": "<the payload of this boot's report, hex>", "ended", "ready",
 *      "timings": {"accepted_us", …}, once it was ready,
 *      "payload": {"started", "state", "status", "signal", "restarts"},
 *      "warned": ["<release>"], "shares": [{"tag", "path", "target", "read_only", "transport"}],
 *      "folders": {"<device>": [<st_dev>, <st_ino>]}, "devices": <device_host_remember()>}
 *
 * Nothing in it is trusted more than a guest: the report is unpacked and judged as if it had just
 * arrived.
 */
#include "vm_store.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "device/device_host.h"
#include "report.h"
#include "services.h"
#include "share.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <json-c/json.h>

#include <stdlib.h>
#include <string.h>

static uint64_t get_number(struct json_object *object, const char *key)
{
    return json_object_get_uint64(json_member(object, key));
}

static bool get_flag(struct json_object *object, const char *key)
{
    return json_object_get_boolean(json_member(object, key));
}

static const char *get_text(struct json_object *object, const char *key)
{
    struct json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* A boot becomes ready once, under whichever daemon: its times are the boot's, not the daemon's. */
static struct json_object *timings_to_json(const struct vm_timings *t)
{
    struct json_object *object = json_object_new_object();

#define PUT_HOST(name)  json_add_number(object, #name, t->name);
#define PUT_GUEST(name) json_add_number(object, "guest_" #name, t->guest.name);
    VM_TIMINGS_HOST(PUT_HOST)
    VM_TIMINGS_GUEST(PUT_GUEST)
    return object;
}

static void timings_from_json(struct json_object *object, struct vm_timings *t)
{
#define GET_HOST(name)  t->name = (__typeof__(t->name))get_number(object, #name);
#define GET_GUEST(name) t->guest.name = get_number(object, "guest_" #name);
    VM_TIMINGS_HOST(GET_HOST)
    VM_TIMINGS_GUEST(GET_GUEST)
}

static struct json_object *report_to_json(const struct guest_capabilities *report)
{
    uint8_t payload[CAPABILITIES_SIZE];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    char hex[2 * CAPABILITIES_SIZE + 1];

    capabilities_pack(&writer, report);
    (void)text_hex(payload, writer.size, hex);
    return json_object_new_string(hex);
}

static bool report_from_json(struct json_object *hex, struct guest_capabilities *ret_report)
{
    const char *text = json_object_get_string(hex);
    uint8_t payload[CAPABILITIES_SIZE];
    char byte[3] = "", *end;

    if (!json_object_is_type(hex, json_type_string) ||
        json_object_get_string_len(hex) != 2 * (int)CAPABILITIES_SIZE)
        return false;
    for (size_t i = 0; i < sizeof(payload); i++) {
        memcpy(byte, text + 2 * i, 2);
        payload[i] = (uint8_t)strtoul(byte, &end, 16);
        if (end != byte + 2)
            return false;
    }
    return session_read_report(payload, sizeof(payload), ret_report) == 0;
}

static struct json_object *payload_to_json(const struct vm *vm)
{
    const struct payload *payload = &vm->payload;

    return json_members("started", json_object_new_boolean(vm->boot.payload_started), "state",
                        json_object_new_uint64(payload->state), "status",
                        json_object_new_uint64(payload->status), "signal",
                        json_object_new_uint64(payload->signal), "restarts",
                        json_object_new_uint64(payload->restarts), NULL);
}

static struct json_object *shares_to_json(const struct vm *vm)
{
    struct json_object *array = json_object_new_array();

    for (struct share *s = share_next(vm, NULL); s; s = share_next(vm, s)) {
        struct json_object *object;

        if (s->configured || !s->attachment.wanted)
            continue;
        object =
            json_texts("tag", s->config.tag, "path", s->config.path, "target", s->config.target,
                       "transport", config_transport_names[s->config.transport], NULL);
        json_add_flag(object, "read_only", s->config.read_only);
        (void)json_object_array_add(array, object);
    }
    return array;
}

/* What is served, so that the next daemon sees a folder that was made again. */
static struct json_object *folders_to_json(const struct vm *vm)
{
    struct json_object *object = json_object_new_object();

    for (const struct virtio_device *d = vm->devices; d; d = d->next) {
        struct json_object *folder;

        if (d->folder.inode == 0 || d->state != VIRTIO_DEVICE_THERE)
            continue;
        folder = json_object_new_array();
        (void)json_object_array_add(folder, json_object_new_uint64(d->folder.device));
        (void)json_object_array_add(folder, json_object_new_uint64(d->folder.inode));
        (void)json_object_object_add(object, d->name, folder);
    }
    return object;
}

void vm_store_save(void *userdata)
{
    struct vm *vm = userdata;
    struct json_object *document = json_members(
        "warned", warned_to_json(&vm->warned), "shares", shares_to_json(vm), "folders",
        folders_to_json(vm), "devices", vm->host ? device_host_remember(vm->host) : NULL, NULL);
    int r;

    if (!document)
        return;
    if (vm->boot.known) {
        const struct boot *boot = &vm->boot;

        (void)json_object_object_add(document, "capabilities", report_to_json(&boot->capabilities));
        json_add_flag(document, "ended", vm->ended);
        json_add_flag(document, "ready", boot->ready);
        (void)json_object_object_add(document, "payload", payload_to_json(vm));
        if (boot->ready)
            (void)json_object_object_add(document, "timings", timings_to_json(&boot->timings));
    }
    vm->services->counters.saves++;
    r = store_save(vm->services->store, vm->config->id, document);
    vm->unsaved = r < 0;
    if (r < 0)
        report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING,
                    "cannot save VM state in %s: %s; will retry on the next change or connection",
                    vm->services->config->state_dir, strerrordesc_np(-r));
    (void)json_object_put(document);
}

static void recall_boot(struct vm *vm, struct json_object *document)
{
    struct json_object *payload = json_member(document, "payload");
    uint64_t state = get_number(payload, "state");
    struct guest_capabilities report;

    if (!report_from_json(json_member(document, "capabilities"), &report))
        return;
    boot_begin(&vm->boot, &report, vm->config);
    vm->ended = get_flag(document, "ended");
    vm->boot.ready = get_flag(document, "ready");
    if (vm->boot.ready)
        timings_from_json(json_member(document, "timings"), &vm->boot.timings);
    vm->boot.payload_started = get_flag(payload, "started");
    vm->payload.status = (uint32_t)get_number(payload, "status");
    vm->payload.signal = (uint32_t)get_number(payload, "signal");
    vm->payload.restarts = (uint32_t)get_number(payload, "restarts");
    if (state == VM_PAYLOAD_RUNNING || state == VM_PAYLOAD_EXITED || state == VM_PAYLOAD_FAILED)
        vm->payload.state = (enum vm_payload_state)state;
}

static void recall_share(struct vm *vm, struct json_object *object)
{
    const char *tag = get_text(object, "tag");
    const char *path = get_text(object, "path");
    const char *target = get_text(object, "target");
    const char *transport = get_text(object, "transport");
    struct config_share config = {.read_only = get_flag(object, "read_only")};
    struct share *share;

    if (!tag || !path || !target || strlen(tag) > LIMITS_TAG || path[0] != '/' || target[0] != '/')
        return;
    for (unsigned i = 0; transport && config_transport_names[i]; i++) {
        if (strcmp(transport, config_transport_names[i]) == 0)
            config.transport = (enum config_transport)i;
    }
    config.tag = (char *)tag;
    config.path = (char *)path;
    config.target = (char *)target;
    (void)share_new(vm, &config, false, &share);
}

struct json_object *vm_store_recall(struct vm *vm)
{
    struct json_object *document = store_load(vm->services->store, vm->config->id);
    struct json_object *shares = json_member(document, "shares"), *devices;

    recall_boot(vm, document);
    warned_from_json(&vm->warned, json_member(document, "warned"));
    for (size_t i = 0; i < json_count(shares); i++)
        recall_share(vm, json_element(shares, i));
    vm->folders = json_object_get(json_member(document, "folders"));
    devices = json_object_get(json_member(document, "devices"));
    (void)json_object_put(document);
    return devices;
}
