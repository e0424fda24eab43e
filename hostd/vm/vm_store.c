/*
 * vm store: what of a VM outlives the daemon. A JSON document:
 *
 *     {"capabilities": "<the payload of this boot's report, hex>", "ended", "ready",
 *      "timings": {"accepted_us", …}, once it was ready,
 *      "payload": {"started", "state", "status", "signal", "restarts"},
 *      "warned": ["<release>"], "shares": [{"tag", "path", "target", "read_only", "transport"}],
 *      "devices": <device_host_remember()>}
 *
 * Nothing in it is trusted more than a guest: the report is unpacked and judged as if it had just
 * arrived.
 */
#include "vm_store.h"

#include "base/limits.h"
#include "device/device_host.h"
#include "report.h"
#include "services.h"
#include "share.h"
#include "vm_parts.h"

#include <json-c/json.h>

#include <stdlib.h>
#include <string.h>

static const char *const transports[] = {
    [CONFIG_TRANSPORT_AUTO] = "auto",
    [CONFIG_TRANSPORT_VIRTIOFS] = "virtiofs",
    [CONFIG_TRANSPORT_9P] = "9p",
};

static void put_number(struct json_object *object, const char *key, uint64_t number)
{
    (void)json_object_object_add(object, key, json_object_new_uint64(number));
}

static void put_flag(struct json_object *object, const char *key, bool flag)
{
    (void)json_object_object_add(object, key, json_object_new_boolean(flag));
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
    (void)json_object_object_add(object, key, json_object_new_string(text));
}

static bool get_flag(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

static uint64_t get_number(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static const char *get_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) &&
                   json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : NULL;
}

/* A boot becomes ready once, under whichever daemon: its times are the boot's, not the daemon's. */
static struct json_object *timings_to_json(const struct vm_timings *t)
{
    struct json_object *object = json_object_new_object();

#define HOST(name)  put_number(object, #name, t->name);
#define GUEST(name) put_number(object, "guest_" #name, t->guest.name);
    VM_TIMINGS_HOST(HOST)
    VM_TIMINGS_GUEST(GUEST)
#undef HOST
#undef GUEST
    return object;
}

static void timings_from_json(struct json_object *object, struct vm_timings *t)
{
#define HOST(name)  t->name = (__typeof__(t->name))get_number(object, #name);
#define GUEST(name) t->guest.name = get_number(object, "guest_" #name);
    VM_TIMINGS_HOST(HOST)
    VM_TIMINGS_GUEST(GUEST)
#undef HOST
#undef GUEST
}

static struct json_object *report_to_json(const struct guest_capabilities *report)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t payload[CAPABILITIES_SIZE];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    char hex[2 * CAPABILITIES_SIZE + 1];

    capabilities_pack(&writer, report);
    for (size_t i = 0; i < writer.size; i++) {
        hex[2 * i] = digits[payload[i] >> 4];
        hex[2 * i + 1] = digits[payload[i] & 15];
    }
    hex[2 * writer.size] = '\0';
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
    struct json_object *object = json_object_new_object();

    put_flag(object, "started", vm->boot.payload_started);
    put_number(object, "state", vm->payload.state);
    put_number(object, "status", vm->payload.status);
    put_number(object, "signal", vm->payload.signal);
    put_number(object, "restarts", vm->payload.restarts);
    return object;
}

static struct json_object *shares_to_json(const struct vm *vm)
{
    struct json_object *array = json_object_new_array();

    for (struct share *s = share_next(vm, NULL); s; s = share_next(vm, s)) {
        struct json_object *object;

        if (s->configured || !s->attachment.wanted)
            continue;
        object = json_object_new_object();
        put_text(object, "tag", s->config.tag);
        put_text(object, "path", s->config.path);
        put_text(object, "target", s->config.target);
        put_flag(object, "read_only", s->config.read_only);
        put_text(object, "transport", transports[s->config.transport]);
        (void)json_object_array_add(array, object);
    }
    return array;
}

void vm_store_save(void *userdata)
{
    struct vm *vm = userdata;
    struct json_object *document = json_object_new_object();
    int r;

    if (!document)
        return;
    if (vm->boot.known) {
        (void)json_object_object_add(document, "capabilities",
                                     report_to_json(&vm->boot.capabilities));
        put_flag(document, "ended", vm->ended);
        put_flag(document, "ready", vm->boot.ready);
        (void)json_object_object_add(document, "payload", payload_to_json(vm));
        if (vm->boot.ready)
            (void)json_object_object_add(document, "timings", timings_to_json(&vm->boot.timings));
    }
    (void)json_object_object_add(document, "warned", warned_to_json(&vm->warned));
    (void)json_object_object_add(document, "shares", shares_to_json(vm));
    if (vm->host)
        (void)json_object_object_add(document, "devices", device_host_remember(vm->host));
    vm->services->counters.saves++;
    r = store_save(vm->services->store, vm->config->id, document);
    vm->unsaved = r < 0;
    if (r < 0)
        report_line(
            vm, ALLOWANCE_DEVICE, LOG_WARNING,
            "what is to outlive the daemon could not be written below %s: %s; it is tried again "
            "with the next change or connection",
            vm->services->config->state_dir, strerrordesc_np(-r));
    (void)json_object_put(document);
}

static void recall_boot(struct vm *vm, struct json_object *document)
{
    struct guest_capabilities report;
    struct json_object *value;
    uint64_t state;

    if (!json_object_object_get_ex(document, "capabilities", &value) ||
        !report_from_json(value, &report))
        return;
    boot_begin(&vm->boot, &report, vm->config);
    vm->boot.ready = get_flag(document, "ready");
    vm->ended = get_flag(document, "ended");
    if (vm->boot.ready && json_object_object_get_ex(document, "timings", &value))
        timings_from_json(value, &vm->boot.timings);
    if (!json_object_object_get_ex(document, "payload", &value))
        return;
    vm->boot.payload_started = get_flag(value, "started");
    vm->payload.status = (uint32_t)get_number(value, "status");
    vm->payload.signal = (uint32_t)get_number(value, "signal");
    vm->payload.restarts = (uint32_t)get_number(value, "restarts");
    state = get_number(value, "state");
    if (state == PAYLOAD_RUNNING || state == PAYLOAD_EXITED || state == PAYLOAD_FAILED)
        vm->payload.state = (enum payload_state)state;
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
    for (unsigned i = 0; transport && i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strcmp(transport, transports[i]) == 0)
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
    struct json_object *value, *devices = NULL;

    recall_boot(vm, document);
    if (json_object_object_get_ex(document, "warned", &value))
        warned_from_json(&vm->warned, value);
    if (json_object_object_get_ex(document, "shares", &value) &&
        json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            recall_share(vm, json_object_array_get_idx(value, i));
    }
    if (json_object_object_get_ex(document, "devices", &value))
        devices = json_object_get(value);
    (void)json_object_put(document);
    return devices;
}
