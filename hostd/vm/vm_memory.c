/*
 * vm memory: what of a VM outlives the daemon. A JSON document:
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
#include "base/clock.h"
#include "base/limits.h"
#include "report.h"
#include "vm_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *const transports[] = {
    [CONFIG_TRANSPORT_AUTO] = "auto",
    [CONFIG_TRANSPORT_VIRTIOFS] = "virtiofs",
    [CONFIG_TRANSPORT_9P] = "9p",
};

#define TIME(key, member)                                                                          \
    {                                                                                              \
        (key), offsetof(struct vm_timings, member), sizeof(((struct vm_timings *)NULL)->member)    \
    }

/* A boot becomes ready once, under whichever daemon: its times are the boot's, not the daemon's. */
static const struct {
    const char *key;
    size_t offset, size;
} times[] = {
    TIME("accepted_us", accepted_us),
    TIME("capabilities_ms", capabilities_ms),
    TIME("devices_ms", devices_ms),
    TIME("mounts_ms", mounts_ms),
    TIME("network_ms", network_ms),
    TIME("payload_ms", payload_ms),
    TIME("ready_ms", ready_ms),
    TIME("guest_started_ns", guest.started_ns),
    TIME("guest_modules_ns", guest.modules_ns),
    TIME("guest_connected_ns", guest.connected_ns),
    TIME("guest_sent_ns", guest.sent_ns),
    TIME("guest_welcomed_ns", guest.welcomed_ns),
    TIME("guest_mounted_ns", guest.mounted_ns),
    TIME("guest_network_ns", guest.network_ns),
    TIME("guest_payload_ns", guest.payload_ns),
    TIME("guest_ready_ns", guest.ready_ns),
};

static struct json_object *timings_to_json(const struct vm_timings *timings)
{
    struct json_object *object = json_object_new_object();

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const char *at = (const char *)timings + times[i].offset;
        uint32_t ms;
        uint64_t number;

        if (times[i].size == sizeof(number)) {
            memcpy(&number, at, sizeof(number));
        } else {
            memcpy(&ms, at, sizeof(ms));
            number = ms;
        }
        (void)json_object_object_add(object, times[i].key, json_object_new_uint64(number));
    }
    return object;
}

static void timings_from_json(struct json_object *object, struct vm_timings *timings)
{
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char *at = (char *)timings + times[i].offset;
        struct json_object *value;
        uint64_t number;
        uint32_t ms;

        if (!json_object_object_get_ex(object, times[i].key, &value))
            continue;
        number = json_object_get_uint64(value);
        ms = (uint32_t)number;
        memcpy(at, times[i].size == sizeof(number) ? (void *)&number : (void *)&ms, times[i].size);
    }
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

    (void)json_object_object_add(object, "started",
                                 json_object_new_boolean(vm->boot.payload_started));
    (void)json_object_object_add(object, "state", json_object_new_int((int)vm->payload.state));
    (void)json_object_object_add(object, "status", json_object_new_uint64(vm->payload.status));
    (void)json_object_object_add(object, "signal", json_object_new_uint64(vm->payload.signal));
    (void)json_object_object_add(object, "restarts", json_object_new_uint64(vm->payload.restarts));
    return object;
}

static struct json_object *shares_to_json(const struct vm *vm)
{
    struct json_object *array = json_object_new_array();

    for (const struct share *s = vm->shares.first; s; s = s->next) {
        struct json_object *object;

        if (s->configured || !s->wanted)
            continue;
        object = json_object_new_object();
        (void)json_object_object_add(object, "tag", json_object_new_string(s->config.tag));
        (void)json_object_object_add(object, "path", json_object_new_string(s->config.path));
        (void)json_object_object_add(object, "target", json_object_new_string(s->config.target));
        (void)json_object_object_add(object, "read_only",
                                     json_object_new_boolean(s->config.read_only));
        (void)json_object_object_add(object, "transport",
                                     json_object_new_string(transports[s->config.transport]));
        (void)json_object_array_add(array, object);
    }
    return array;
}

static void save(struct vm *vm)
{
    struct json_object *document = json_object_new_object();
    int r;

    vm->saving = false;
    if (!document)
        return;
    if (vm->boot.known) {
        (void)json_object_object_add(document, "capabilities",
                                     report_to_json(&vm->boot.capabilities));
        (void)json_object_object_add(document, "ended", json_object_new_boolean(vm->ended));
        (void)json_object_object_add(document, "ready", json_object_new_boolean(vm->boot.ready));
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

static int on_save(sd_event_source *source, uint64_t at_us, void *userdata)
{
    (void)source;
    (void)at_us;
    save(userdata);
    return 0;
}

static bool is_pending(const struct vm *vm)
{
    int enabled = SD_EVENT_OFF;

    return vm->save_timer && sd_event_source_get_enabled(vm->save_timer, &enabled) >= 0 &&
           enabled != SD_EVENT_OFF;
}

void vm_save_now(struct vm *vm)
{
    if (vm->saving)
        return;
    vm->saving = rate_allow(&vm->saves, clock_now_us(), LIMITS_SAVES_IN_1000_S, LIMITS_SAVES_BURST);
    if (vm->saving)
        (void)clock_arm(vm->services->event, &vm->save_timer, 0, on_save, vm);
    else
        vm_save_soon(vm);
}

void vm_save_soon(struct vm *vm)
{
    if (!is_pending(vm))
        (void)clock_arm(vm->services->event, &vm->save_timer, LIMITS_SAVE_DELAY_MS, on_save, vm);
}

void vm_save_flush(struct vm *vm)
{
    if (!is_pending(vm))
        return;
    clock_disarm(vm->save_timer);
    save(vm);
}

static bool get_flag(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

static uint32_t get_number(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? (uint32_t)json_object_get_uint64(value)
                                                          : 0;
}

static const char *get_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) &&
                   json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : NULL;
}

static void recall_boot(struct vm *vm, struct json_object *document)
{
    struct guest_capabilities report;
    struct json_object *value;

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
    vm->payload.status = get_number(value, "status");
    vm->payload.signal = get_number(value, "signal");
    vm->payload.restarts = get_number(value, "restarts");
    switch (get_number(value, "state")) {
    case PAYLOAD_RUNNING:
        vm->payload.state = PAYLOAD_RUNNING;
        break;
    case PAYLOAD_EXITED:
        vm->payload.state = PAYLOAD_EXITED;
        break;
    case PAYLOAD_FAILED:
        vm->payload.state = PAYLOAD_FAILED;
        break;
    default:
        break;
    }
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

struct json_object *vm_recall(struct vm *vm)
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
