/* control view: views of VMs to the types of io.guestlink.varlink. */
#include "control_view.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static void add_texts(struct json_object *object, const char *key,
                      const struct config_strings *strings)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < strings->count; i++)
        json_object_array_add(array, json_object_new_string(strings->items[i]));
    json_object_object_add(object, key, array);
}

static const char *transport_name(enum policy_transport transport)
{
    static const char *const names[] = {
        [POLICY_TRANSPORT_NONE] = "none",
        [POLICY_TRANSPORT_VIRTIOFS] = "virtiofs",
        [POLICY_TRANSPORT_9P] = "9p",
    };

    return names[transport];
}

static struct json_object *view_features(uint64_t features)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } bits[] = {
        {CAPABILITIES_SECCOMP_USER_NOTIF, "seccomp-user-notification"},
        {CAPABILITIES_VIRTIOFS, "virtiofs"},
        {CAPABILITIES_9P, "9p"},
        {CAPABILITIES_OVERLAY, "overlay"},
        {CAPABILITIES_SWIOTLB_PUBLISHED, "swiotlb-published"},
        {CAPABILITIES_SWIOTLB_ASKED, "swiotlb-asked"},
        {CAPABILITIES_SWIOTLB_LEFT, "swiotlb-left"},
        {CAPABILITIES_SWIOTLB_DEFAULT, "swiotlb-default"},
        {CAPABILITIES_SWIOTLB_DYNAMIC, "swiotlb-dynamic"},
        {CAPABILITIES_TERMINAL, "terminal"},
        {CAPABILITIES_CONNECTIONS, "connections"},
    };
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if ((features & bits[i].bit) != 0)
            json_object_array_add(array, json_object_new_string(bits[i].name));
    return array;
}

struct json_object *control_view_capabilities(const struct guest_capabilities *capabilities)
{
    struct json_object *object = json_object_new_object();
    char text[TEXT_UUID_SIZE];

    (void)snprintf(text, sizeof(text), "%u.%u", capabilities->major, capabilities->minor);
    json_add_text(object, "version", text);
    json_object_object_add(object, "features", view_features(capabilities->features));
    (void)snprintf(text, sizeof(text), "0x%" PRIx64, capabilities->swiotlb_base);
    json_add_text(object, "swiotlb_base", text);
    json_add_number(object, "swiotlb_size", capabilities->swiotlb_size);
    json_add_text(object, "swiotlb_kind", capabilities_pool_kind(capabilities));
    json_add_number(object, "memory_bytes", capabilities->memory_bytes);
    json_add_number(object, "page_size", capabilities->page_size);
    json_add_number(object, "cpu_count", capabilities->cpu_count);
    text_uuid(capabilities->boot_id, text);
    json_add_text(object, "boot_id", text);
    json_add_text(object, "kernel_release", capabilities->kernel_release);
    json_add_text(object, "init_version", capabilities->init_version);
    json_add_number(object, "started_ns", capabilities->started_ns);
    json_add_number(object, "sent_ns", capabilities->sent_ns);
    return object;
}

/* @param aperture  NULL: not known */
static void add_aperture(struct json_object *object, const struct aperture_status *aperture)
{
    json_add_text(object, "aperture", aperture ? aperture_state_name(aperture->state) : "");
    json_add_number(object, "aperture_bytes", aperture ? aperture->bytes : 0);
    json_add_text(object, "aperture_reason", aperture ? aperture->reason : "");
}

static struct json_object *view_share(const struct vm_share_view *share)
{
    struct json_object *object = json_object_new_object();

    json_add_text(object, "tag", share->tag);
    json_add_text(object, "path", share->path);
    json_add_text(object, "target", share->target);
    json_add_flag(object, "read_only", share->read_only);
    json_add_text(object, "transport", transport_name(share->transport));
    json_add_text(object, "device", share->device);
    json_add_number(object, "port", share->port);
    json_add_text(object, "options", share->options);
    json_add_text(object, "state", vm_device_state_name(share->state));
    json_add_flag(object, "iommu_platform", share->iommu_platform);
    add_aperture(object, share->aperture);
    json_add_flag(object, "configured", share->configured);
    json_add_text(object, "error", share->error);
    return object;
}

static struct json_object *view_adapter(const struct vm_adapter_view *adapter)
{
    struct json_object *object = json_object_new_object();
    char mac[TEXT_MAC_SIZE];

    text_mac(adapter->network->mac, mac);
    json_add_text(object, "id", adapter->network->id);
    json_add_text(object, "mac", mac);
    add_texts(object, "address", &adapter->network->address);
    json_add_text(object, "options", adapter->options);
    json_add_text(object, "state", vm_device_state_name(adapter->state));
    json_add_flag(object, "iommu_platform", adapter->iommu_platform);
    add_aperture(object, adapter->aperture);
    json_add_text(object, "error", adapter->error);
    return object;
}

static struct json_object *view_timings(const struct vm_timings *timings)
{
    struct json_object *object = json_object_new_object();

#define HOST(name)  json_add_number(object, #name, timings->name);
#define GUEST(name) json_add_number(object, "guest_" #name, timings->guest.name);
    VM_TIMINGS_HOST(HOST)
    VM_TIMINGS_GUEST(GUEST)
    /* known before the guest is ready */
    json_add_number(object, "guest_started_ns", timings->guest_started_ns);
    json_add_number(object, "guest_sent_ns", timings->guest_sent_ns);
    return object;
}

static struct json_object *view_payload(const struct vm_payload_view *payload)
{
    static const struct config_strings none = {0};
    struct json_object *object = json_object_new_object();

    json_add_text(object, "state", vm_payload_state_name(payload->state));
    add_texts(object, "argv", payload->config != NULL ? &payload->config->argv : &none);
    json_add_number(object, "status", payload->status);
    json_add_number(object, "signal", payload->signal);
    json_add_number(object, "restarts", payload->restarts);
    json_add_text(object, "error", payload->error);
    return object;
}

static struct json_object *view_policy(const struct policy *policy)
{
    struct json_object *object = json_object_new_object();

    json_add_flag(object, "virtiofs", policy->virtiofs);
    json_add_text(object, "networking", config_networking_names[policy->networking]);
    json_add_number(object, "swiotlb_bytes", policy->swiotlb_bytes);
    return object;
}

/* What went wrong anywhere in the VM, the most important first. */
static const char *first_error(const struct vm *vm, const struct vm_view *view)
{
    struct vm_share_view share;
    struct vm_adapter_view adapter;

    if (view->device_host_error != NULL && view->device_host_error[0] != '\0')
        return view->device_host_error;
    for (size_t i = 0; i < view->share_count; i++) {
        vm_get_share(vm, i, &share);
        if (share.error[0] != '\0')
            return share.error;
    }
    for (size_t i = 0; i < view->adapter_count; i++) {
        vm_get_adapter(vm, i, &adapter);
        if (adapter.state == VM_DEVICE_FAILED)
            return adapter.error;
    }
    return view->payload.error;
}

/* The keys that a summary and a whole view have in common. */
static void add_head(struct json_object *object, const struct vm_view *view)
{
    json_add_text(object, "name", view->config->name);
    json_add_text(object, "id", view->config->id);
    json_add_text(object, "state", vm_state_name(view->state));
    json_add_number(object, "cid", view->config->cid);
    json_add_text(object, "socket", view->config->socket);
}

static void add_pool(struct json_object *object, const struct vm_view *view)
{
    bool has_one = view->token[0] != '\0' && view->capabilities != NULL;
    char base[32] = "";

    if (has_one)
        (void)snprintf(base, sizeof(base), "0x%" PRIx64, view->capabilities->swiotlb_base);
    json_add_text(object, "pool_base", base);
    json_add_number(object, "pool_size", has_one ? view->capabilities->swiotlb_size : 0);
}

/* Of its shares, what the least confined of their processes can reach: states are in that order.
 * @return NULL: none has one */
static const struct aperture_status *widest_aperture(const struct vm *vm,
                                                     const struct vm_view *view)
{
    const struct aperture_status *widest = NULL;
    struct vm_share_view share;

    for (size_t i = 0; i < view->share_count; i++) {
        vm_get_share(vm, i, &share);
        if (share.aperture &&
            (!widest || share.aperture->state < widest->state ||
             (share.aperture->state == widest->state && share.aperture->bytes > widest->bytes)))
            widest = share.aperture;
    }
    return widest;
}

struct json_object *control_view_summary(const struct vm *vm)
{
    struct json_object *object = json_object_new_object();
    struct vm_view view;

    vm_get_view(vm, &view);
    add_head(object, &view);
    json_add_text(object, "kernel_release",
                  view.capabilities != NULL ? view.capabilities->kernel_release : "");
    json_add_text(object, "token", view.token);
    add_pool(object, &view);
    add_aperture(object, widest_aperture(vm, &view));
    json_add_number(object, "shares", view.share_count);
    json_add_number(object, "adapters", view.adapter_count);
    json_add_text(object, "error", first_error(vm, &view));
    return object;
}

static void add_devices(struct json_object *object, const struct vm *vm, const struct vm_view *view)
{
    struct json_object *shares = json_object_new_array(), *adapters = json_object_new_array();
    struct vm_share_view share;
    struct vm_adapter_view adapter;

    for (size_t i = 0; i < view->share_count; i++) {
        vm_get_share(vm, i, &share);
        json_object_array_add(shares, view_share(&share));
    }
    for (size_t i = 0; i < view->adapter_count; i++) {
        vm_get_adapter(vm, i, &adapter);
        json_object_array_add(adapters, view_adapter(&adapter));
    }
    json_object_object_add(object, "shares", shares);
    json_object_object_add(object, "adapters", adapters);
}

struct json_object *control_view_vm(const struct vm *vm)
{
    struct json_object *object = json_object_new_object();
    struct vm_view view;

    vm_get_view(vm, &view);
    add_head(object, &view);
    json_add_number(object, "memory_bytes", view.config->memory);
    json_add_text(object, "kernel", view.config->bundled_kernel ? "bundled" : "custom");
    json_object_object_add(object, "policy", view_policy(view.policy));
    json_add_text(object, "device_host", config_device_host_names[view.config->device_host.type]);
    json_add_text(object, "domain", view.config->device_host.domain);
    json_add_flag(object, "device_host_up", view.device_host_up);
    json_add_text(object, "device_host_error", view.device_host_error);
    json_add_text(object, "device_host_version", view.device_host_version);
    if (view.boot_known && view.capabilities != NULL) {
        json_object_object_add(object, "capabilities",
                               control_view_capabilities(view.capabilities));
        json_add_text(object, "pool",
                      view.verdict == POOL_USABLE ? "usable" : pool_verdict_text(view.verdict));
    } else {
        json_add_text(object, "pool", "");
    }
    json_add_text(object, "token", view.token);
    json_add_text(object, "aperture", config_aperture_names[view.config->aperture]);
    add_devices(object, vm, &view);
    json_object_object_add(object, "payload", view_payload(&view.payload));
    json_object_object_add(object, "timings", view_timings(&view.timings));
    json_add_number(object, "connections", view.connections);
    json_add_number(object, "bytes_held", view.bytes_held);
    json_add_number(object, "pool_exhausted", view.exhausted);
    json_add_number(object, "events_dropped", view.dropped);
    json_add_number(object, "last_seen_us", view.last_seen_us);
    return object;
}

struct json_object *control_view_pools(const struct event_pool_usage *usage)
{
    struct json_object *object = json_object_new_object(), *pools = json_object_new_array();

    for (uint16_t i = 0; i < usage->count; i++) {
        const struct event_pool *pool = &usage->pools[i];
        struct json_object *one = json_object_new_object();
        char name[LIMITS_TEXT];

        text_take(pool->name, name, sizeof(name));
        json_add_text(one, "name", name);
        json_add_number(one, "total_bytes", pool->total * usage->slot_bytes);
        json_add_number(one, "used_bytes", pool->used * usage->slot_bytes);
        json_add_number(one, "high_water_bytes", pool->high_water * usage->slot_bytes);
        json_object_array_add(pools, one);
    }
    json_object_object_add(object, "pools", pools);
    return object;
}
