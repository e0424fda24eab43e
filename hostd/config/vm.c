/* config vm: the keys of a VM, and what must hold between them. */
#include "vm.h"

#include "protocol/pool.h"
#include "strings.h"
#include "text.h"
#include "vm_networks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* CIDs 0 to 2 are the hypervisor, the local machine and the host; the highest means any. */
#define CID_MIN     3u
#define CID_MAX     (UINT32_MAX - 1)
#define TIMEOUT_MAX 3600000u /* an hour: longer than that, nobody waits */
#define MEMORY_MIN  (UINT64_C(1) << 20)
#define MEMORY_MAX  (UINT64_C(1) << 50)

static const char *const kernels[] = {"custom", "bundled", NULL};
const char *const config_networking_names[] = {"virtioproxy", "nat", "none", NULL};
static const char *const clocks[] = {"host", "none", NULL};
const char *const config_aperture_names[] = {"auto", "require", "off", NULL};

static void read_id(struct config_reader *reader, const struct config_json *node,
                    const struct config_field *field, void *to)
{
    (void)field;
    if (node->type != CONFIG_JSON_TEXT || !config_text_parse_uuid(node->text, to))
        config_reader_expected(reader, node,
                               "a UUID such as \"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\"");
}

static void read_kernel(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    int kernel = 0;

    config_read_enum(reader, node, field, &kernel);
    *(bool *)to = kernel == 1;
}

static void read_networking(struct config_reader *reader, const struct config_json *node,
                            const struct config_field *field, void *to)
{
    struct config_vm *vm = to;

    config_read_enum(reader, node, field, &vm->networking);
    vm->networking_is_default = false;
    vm->networking_line = node->line;
}

static void read_aperture(struct config_reader *reader, const struct config_json *node,
                          const struct config_field *field, void *to)
{
    struct config_vm *vm = to;

    config_read_enum(reader, node, field, &vm->aperture);
    vm->aperture_line = node->line;
}

/* A bad value is no error: a VM that starts with the default pool serves better than none. */
static void read_swiotlb(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to)
{
    struct config_vm *vm = to;
    const char *text = node->text != NULL ? node->text : "";
    char value[CONFIG_READER_VALUE];
    uint64_t size = 0;

    (void)field;
    vm->swiotlb_line = node->line;
    if (node->type == CONFIG_JSON_TEXT && strcmp(text, "auto") == 0)
        return;
    if (node->type == CONFIG_JSON_TEXT && strcmp(text, "off") == 0) {
        vm->swiotlb = CONFIG_SWIOTLB_OFF;
        return;
    }
    if (node->type == CONFIG_JSON_TEXT && config_text_parse_withdrawn_pool(text, &size) == 0 &&
        size > 0 && size < POOL_LIMIT)
        config_reader_warn(reader, node,
                           "\"%.60s\" has a base, expected only a size; the guest kernel "
                           "chooses the pool's base (one set from outside may point at memory "
                           "that does not exist); ignoring the base, using the size %" PRIu64,
                           text, size);
    else if ((node->type != CONFIG_JSON_TEXT && node->type != CONFIG_JSON_NUMBER) ||
             config_text_parse_size(text, &size) != 0 || size >= POOL_LIMIT) {
        config_reader_warn(reader, node,
                           "%s is not a pool size, expected \"auto\", \"off\", bytes or a size "
                           "such as \"64M\" below 4 GiB; using \"auto\"",
                           config_reader_value(node, value));
        return;
    }
    vm->swiotlb = size == 0 ? CONFIG_SWIOTLB_OFF : CONFIG_SWIOTLB_SIZE;
    vm->swiotlb_size = size;
}

static void read_shares(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    struct config_vm *vm = to;
    void *shares;

    (void)field;
    if (!config_reader_list(reader, node, CONFIG_VM_SHARES, sizeof(*vm->shares), &shares))
        return;
    vm->shares = shares;
    vm->share_count = node->count;
    for (const struct config_json *one = node->first; one != NULL; one = one->next) {
        struct config_share *share = &vm->shares[one->index];

        config_share_read(reader, one, share);
        for (size_t i = 0; i < one->index; i++) {
            const struct config_share *other = &vm->shares[i];

            if (share->tag != NULL && other->tag != NULL && strcmp(share->tag, other->tag) == 0)
                config_reader_error(reader, config_json_find(one, "tag"),
                                    "\"%s\" is already used by shares[%zu], expected a unique "
                                    "tag",
                                    share->tag, i);
            if (share->target != NULL && other->target != NULL &&
                strcmp(share->target, other->target) == 0)
                config_reader_error(reader, config_json_find(one, "target"),
                                    "\"%s\" is already used by shares[%zu], expected a unique "
                                    "target",
                                    share->target, i);
        }
    }
}

void config_vm_read_timeouts(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to)
{
    static const struct config_field fields[] = {
        CONFIG_KEY(config_timeouts, connect, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, capabilities, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, device, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, mount, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, network, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, payload, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, shut_down, u32, .min = 1, .max = TIMEOUT_MAX),
        CONFIG_KEY(config_timeouts, silence, u32, .min = 1, .max = TIMEOUT_MAX),
    };

    (void)field;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), to);
}

static const char *const resolv_confs[] = {"auto", "never", NULL};

static void read_resolv_conf(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to)
{
    unsigned which = 0;
    bool *leaves = to;

    config_read_enum(reader, node, field, &which);
    *leaves = which == 1;
}

#define AT(member) offsetof(struct config_vm, member)

static const struct config_field fields[] = {
    CONFIG_KEY(config_vm, name, text, .required = true, .check = config_text_check_vm_name),
    {.key = "id", .read = read_id, .offset = AT(id), .required = true},
    CONFIG_KEY(config_vm, cid, u32, .min = CID_MIN, .max = CID_MAX),
    CONFIG_KEY(config_vm, socket, text, .check = config_text_check_socket),
    CONFIG_KEY(config_vm, memory, size, .min = MEMORY_MIN, .max = MEMORY_MAX),
    {.key = "kernel", .read = read_kernel, .offset = AT(bundled_kernel), .names = kernels},
    CONFIG_KEY(config_vm, virtio, bool),
    CONFIG_KEY(config_vm, virtiofs, bool),
    {.key = "networking", .read = read_networking, .names = config_networking_names},
    {.key = "swiotlb", .read = read_swiotlb},
    {.key = "aperture", .read = read_aperture, .names = config_aperture_names},
    {.key = "clock", .read = config_read_enum, .offset = AT(clock), .names = clocks},
    {.key = "resolv_conf",
     .read = read_resolv_conf,
     .offset = AT(leaves_resolv_conf),
     .names = resolv_confs},
    CONFIG_KEY(config_vm, hostname, text, .check = config_text_check_hostname),
    {.key = "shares", .read = read_shares},
    {.key = "network", .read = config_vm_read_networks},
    {.key = "payload", .read = config_payload_read, .offset = AT(payload)},
    {.key = "device_host", .read = config_device_host_read, .offset = AT(device_host)},
    {.key = "timeouts_ms", .read = config_vm_read_timeouts, .offset = AT(timeouts)},
};

static void read_by(struct config_reader *reader, const struct config_json *node,
                    const struct config_field *table, struct config_vm *vm)
{
    vm->line = node->line;
    config_reader_object(reader, node, table, sizeof(fields) / sizeof(fields[0]), vm);
    config_device_host_name_domain(reader, &vm->device_host, vm->name);
    config_vm_check_networks(reader, node, vm);
    if (node->type == CONFIG_JSON_OBJECT && vm->cid == 0 && config_json_find(node, "cid") == NULL &&
        config_json_find(node, "socket") == NULL)
        config_reader_error(reader, node,
                            "neither `cid` nor `socket`, expected one to identify the "
                            "VM's connections");
}

void config_vm_read(struct config_reader *reader, const struct config_json *node,
                    struct config_vm *vm)
{
    read_by(reader, node, fields, vm);
}

void config_vm_read_found(struct config_reader *reader, const struct config_json *node,
                          struct config_vm *vm)
{
    struct config_field table[sizeof(fields) / sizeof(fields[0])];

    memcpy(table, fields, sizeof(fields));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        table[i].required = false;
    read_by(reader, node, table, vm);
}

void config_vm_init(struct config_vm *vm, const struct config_timeouts *timeouts)
{
    *vm = (struct config_vm){
        .virtio = true,
        .virtiofs = true,
        .networking = CONFIG_NETWORKING_VIRTIOPROXY,
        .networking_is_default = true,
        .swiotlb = CONFIG_SWIOTLB_AUTO,
        .device_host = {.timeout_ms = CONFIG_DEVICE_HOST_TIMEOUT_MS},
        .timeouts = *timeouts,
    };
}

bool config_vm_has_qemu(const struct config_vm *vm)
{
    return vm->device_host.type == CONFIG_DEVICE_HOST_QEMU ||
           vm->device_host.type == CONFIG_DEVICE_HOST_LIBVIRT;
}

bool config_vm_has_passt(const struct config_vm *vm)
{
    for (size_t i = 0; i < vm->network_count; i++)
        if (vm->networks[i].backend == CONFIG_BACKEND_PASST)
            return config_vm_has_qemu(vm);
    return false;
}

static bool timeouts_equal(const struct config_timeouts *a, const struct config_timeouts *b)
{
    return a->connect == b->connect && a->capabilities == b->capabilities &&
           a->device == b->device && a->mount == b->mount && a->network == b->network &&
           a->payload == b->payload && a->shut_down == b->shut_down && a->silence == b->silence;
}

static bool lists_equal(const struct config_vm *a, const struct config_vm *b)
{
    if (a->share_count != b->share_count || a->network_count != b->network_count)
        return false;
    for (size_t i = 0; i < a->share_count; i++)
        if (!config_share_equal(&a->shares[i], &b->shares[i]))
            return false;
    for (size_t i = 0; i < a->network_count; i++)
        if (!config_network_equal(&a->networks[i], &b->networks[i]))
            return false;
    return true;
}

bool config_vm_equal(const struct config_vm *a, const struct config_vm *b)
{
    return config_text_equal(a->name, b->name) && strcmp(a->id, b->id) == 0 && a->cid == b->cid &&
           config_text_equal(a->socket, b->socket) && a->memory == b->memory &&
           a->bundled_kernel == b->bundled_kernel && a->virtio == b->virtio &&
           a->virtiofs == b->virtiofs && a->networking == b->networking &&
           a->networking_is_default == b->networking_is_default && a->swiotlb == b->swiotlb &&
           a->swiotlb_size == b->swiotlb_size && a->aperture == b->aperture &&
           a->clock == b->clock && a->leaves_resolv_conf == b->leaves_resolv_conf &&
           config_text_equal(a->hostname, b->hostname) && lists_equal(a, b) &&
           config_payload_equal(&a->payload, &b->payload) &&
           config_device_host_equal(&a->device_host, &b->device_host) &&
           timeouts_equal(&a->timeouts, &b->timeouts);
}

void config_vm_done(struct config_vm *vm)
{
    free(vm->name);
    free(vm->socket);
    free(vm->hostname);
    for (size_t i = 0; i < vm->share_count; i++)
        config_share_done(&vm->shares[i]);
    free(vm->shares);
    for (size_t i = 0; i < vm->network_count; i++)
        config_network_done(&vm->networks[i]);
    free(vm->networks);
    config_payload_done(&vm->payload);
    config_device_host_done(&vm->device_host);
}
