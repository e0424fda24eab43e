/* commands show and capabilities: one VM in full. */
#include "aperture.h"
#include "client.h"
#include "command.h"
#include "say.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* "pool reported   " */
#define MARGIN 16u

/* "      kernel  6.1.0", long ones in lines of the terminal; an empty text is left out. */
static void line(const char *label, enum say_colour colour, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    (void)printf("%14s  ", label);
    if (isatty(STDOUT_FILENO)) {
        say_wrapped(colour, text, MARGIN);
    } else {
        say_text(colour, text);
        (void)putchar('\n');
    }
}

static void line_size(const char *label, uint64_t bytes)
{
    char text[32];

    if (bytes != 0)
        line(label, SAY_PLAIN, say_size(bytes, text));
}

/* The texts of a list with blanks between them. */
static void join(struct json_object *list, char *buffer, size_t capacity)
{
    size_t used = 0, count;

    buffer[0] = '\0';
    count = json_count(list);
    for (size_t i = 0; i < count && used < capacity; i++)
        used += (size_t)snprintf(buffer + used, capacity - used, "%s%s", i == 0 ? "" : " ",
                                 json_object_get_string(json_element(list, i)));
}

static void show_reported_pool(struct json_object *capabilities, bool dynamic)
{
    bool is_default = strcmp(command_text(capabilities, "swiotlb_kind"), "default") == 0;
    char text[512], size[32];

    (void)snprintf(text, sizeof(text), "%s at %s, %s",
                   say_size(command_number(capabilities, "swiotlb_size"), size),
                   command_text(capabilities, "swiotlb_base"),
                   is_default ? "the kernel's default pool" : "published by the kernel");
    line("pool reported", SAY_PLAIN, text);
    if (dynamic)
        line("", SAY_YELLOW,
             "when the pool is full, the kernel uses other memory: devices are not confined to "
             "the pool");
}

static void show_capabilities(struct json_object *capabilities)
{
    char text[512], size[32];

    line("kernel", SAY_PLAIN, command_text(capabilities, "kernel_release"));
    line("init", SAY_PLAIN, command_text(capabilities, "init_version"));
    line("boot", SAY_PLAIN, command_text(capabilities, "boot_id"));
    (void)snprintf(text, sizeof(text), "%s, %" PRIu64 " CPUs, pages of %" PRIu64 " bytes",
                   say_size(command_number(capabilities, "memory_bytes"), size),
                   command_number(capabilities, "cpu_count"),
                   command_number(capabilities, "page_size"));
    line("guest memory", SAY_PLAIN, text);
    join(json_member(capabilities, "features"), text, sizeof(text));
    line("features", SAY_PLAIN, text);
    if (command_number(capabilities, "swiotlb_size") != 0)
        show_reported_pool(capabilities, strstr(text, "swiotlb-dynamic") != NULL);
}

static enum say_colour device_colour(const char *state)
{
    if (strcmp(state, "in-use") == 0)
        return SAY_GREEN;
    return strcmp(state, "failed") == 0 ? SAY_RED : SAY_YELLOW;
}

static void show_aperture(struct json_object *vm, struct json_object *device)
{
    char text[512];

    if (!aperture_describe(vm, device, text, sizeof(text)))
        return;
    line("", aperture_is_enforced(device) ? SAY_GREEN : SAY_YELLOW, text);
    line("", SAY_YELLOW, command_text(device, "aperture_reason"));
}

static void show_share(struct json_object *vm, struct json_object *share)
{
    const char *state = command_text(share, "state"), *device = command_text(share, "device");
    char text[1024];

    (void)snprintf(text, sizeof(text), "%s: %s on %s%s, %s%s", command_text(share, "tag"),
                   command_text(share, "path"), command_text(share, "target"),
                   command_flag(share, "read_only") ? " (read-only)" : "",
                   command_text(share, "transport"),
                   command_flag(share, "configured") ? "" : ", added at runtime");
    line("share", SAY_BOLD, text);
    line("", device_colour(state), state);
    line("", SAY_PLAIN, command_text(share, "options"));
    if (device[0] != '\0' && strcmp(device, command_text(share, "tag")) != 0) {
        (void)snprintf(text, sizeof(text), "uses the device of %s", device);
        line("", SAY_PLAIN, text);
    }
    show_aperture(vm, share);
    line("", SAY_RED, command_text(share, "error"));
}

static void show_adapter(struct json_object *vm, struct json_object *adapter)
{
    const char *state = command_text(adapter, "state");
    char text[1024], addresses[512];

    join(json_member(adapter, "address"), addresses, sizeof(addresses));
    (void)snprintf(text, sizeof(text), "%s: %s %s", command_text(adapter, "id"),
                   command_text(adapter, "mac"), addresses);
    line("adapter", SAY_BOLD, text);
    line("", device_colour(state), state);
    line("", SAY_PLAIN, command_text(adapter, "options"));
    show_aperture(vm, adapter);
    line("", SAY_RED, command_text(adapter, "error"));
}

static void show_payload(struct json_object *payload)
{
    const char *state = command_text(payload, "state");
    char text[1024], words[900];

    if (strcmp(state, "none") == 0)
        return;
    join(json_member(payload, "argv"), words, sizeof(words));
    line("payload", SAY_BOLD, words);
    if (strcmp(state, "exited") == 0 && command_number(payload, "signal") != 0)
        (void)snprintf(text, sizeof(text), "killed by signal %" PRIu64,
                       command_number(payload, "signal"));
    else if (strcmp(state, "exited") == 0 || strcmp(state, "failed") == 0)
        (void)snprintf(text, sizeof(text), "%s with status %" PRIu64, state,
                       command_number(payload, "status"));
    else
        (void)snprintf(text, sizeof(text), "%s", state);
    line("", SAY_PLAIN, text);
    line("", SAY_RED, command_text(payload, "error"));
}

static void show_head(struct json_object *vm)
{
    struct json_object *policy = json_member(vm, "policy");
    char text[512], size[32];

    line("VM", SAY_BOLD, command_text(vm, "name"));
    line("id", SAY_PLAIN, command_text(vm, "id"));
    line("state", command_state_colour(command_text(vm, "state")), command_text(vm, "state"));
    if (command_number(vm, "cid") != 0) {
        (void)snprintf(text, sizeof(text), "%" PRIu64, command_number(vm, "cid"));
        line("CID", SAY_PLAIN, text);
    }
    line("socket", SAY_PLAIN, command_text(vm, "socket"));
    line_size("memory", command_number(vm, "memory_bytes"));
    (void)snprintf(text, sizeof(text), "%s kernel, virtiofs %s, networking %s, pool %s",
                   command_text(vm, "kernel"), command_flag(policy, "virtiofs") ? "on" : "off",
                   command_text(policy, "networking"),
                   command_number(policy, "swiotlb_bytes") != 0
                       ? say_size(command_number(policy, "swiotlb_bytes"), size)
                       : "not requested");
    line("policy", SAY_PLAIN, text);
    (void)snprintf(text, sizeof(text), "%s%s%s, %s", command_text(vm, "device_host"),
                   command_text(vm, "device_host_version")[0] ? " " : "",
                   command_text(vm, "device_host_version"),
                   command_flag(vm, "device_host_up") ? "up" : "down");
    line("device host", command_flag(vm, "device_host_up") ? SAY_PLAIN : SAY_YELLOW, text);
    line("", SAY_RED, command_text(vm, "device_host_error"));
}

static void show_pools(struct json_object *usage)
{
    struct json_object *pools = json_member(usage, "pools");
    size_t count = json_count(pools);

    for (size_t i = 0; i < count; i++) {
        struct json_object *pool = json_element(pools, i);
        uint64_t high = command_number(pool, "high_water_bytes");
        char text[256], used[32], total[32], most[32];

        (void)snprintf(text, sizeof(text), "%s: %s of %s in use%s%s", command_text(pool, "name"),
                       say_size(command_number(pool, "used_bytes"), used),
                       say_size(command_number(pool, "total_bytes"), total),
                       high != 0 ? ", at most " : "", high != 0 ? say_size(high, most) : "");
        line("pool use", SAY_PLAIN, text);
    }
}

static int has_failed(struct json_object *part)
{
    return command_text(part, "error")[0] != '\0' ||
           strcmp(command_text(part, "state"), "failed") == 0;
}

/* What failed comes before what works. */
static void show_vm(struct json_object *vm)
{
    struct json_object *capabilities = json_member(vm, "capabilities");
    struct json_object *shares = json_member(vm, "shares");
    struct json_object *adapters = json_member(vm, "adapters");
    struct json_object *payload = json_member(vm, "payload");
    char text[64];

    show_head(vm);
    if (capabilities != NULL)
        show_capabilities(capabilities);
    line("pool", SAY_PLAIN, command_text(vm, "pool"));
    line("token", SAY_PLAIN, command_text(vm, "token"));
    line("aperture", SAY_PLAIN, command_text(vm, "aperture"));
    if (command_number(vm, "pool_exhausted") != 0) {
        (void)snprintf(text, sizeof(text), "the pool was full %" PRIu64 " times in this boot",
                       command_number(vm, "pool_exhausted"));
        line("", SAY_RED, text);
    }
    for (int failed = 1; failed >= 0; failed--) {
        for (size_t i = 0; i < json_count(shares); i++)
            if (has_failed(json_element(shares, i)) == failed)
                show_share(vm, json_element(shares, i));
        for (size_t i = 0; i < json_count(adapters); i++)
            if (has_failed(json_element(adapters, i)) == failed)
                show_adapter(vm, json_element(adapters, i));
        if (has_failed(payload) == failed)
            show_payload(payload);
    }
}

/* The guest is asked for its pool's use; one that keeps no such statistics is no error. */
static struct json_object *query_pools(struct client *client, const char *vm)
{
    struct json_object *reply = NULL;

    if (client_send(client, "PoolUsage", command_vm_params(vm), CLIENT_ONE) < 0 ||
        client_receive(client, CLIENT_QUICK_MS, &reply) < 0)
        return NULL;
    return reply;
}

static bool is_connected(struct json_object *vm)
{
    const char *state = command_text(vm, "state");

    return strcmp(state, "connected") == 0 || strcmp(state, "ready") == 0;
}

int command_show(const struct options *options, char **words)
{
    struct json_object *reply = NULL, *vm, *pools = NULL;
    struct client *client = NULL;
    int status = client_new(options->socket, &client);

    if (status == 0)
        status = client_call(client, "Show", command_vm_params(words[0]), CLIENT_QUICK_MS, &reply);
    if (status == 0) {
        vm = json_member(reply, "vm");
        if (is_connected(vm))
            pools = query_pools(client, words[0]);
        if (options->json) {
            if (pools != NULL)
                json_object_object_add(vm, "pools", json_object_get(json_member(pools, "pools")));
            say_json(vm);
        } else {
            show_vm(vm);
            if (pools != NULL)
                show_pools(pools);
        }
    }
    json_object_put(pools);
    json_object_put(reply);
    (void)client_free(client);
    return status;
}

int command_capabilities(const struct options *options, char **words)
{
    struct json_object *params = command_vm_params(words[0]), *reply = NULL;

    if ((options->given & OPTIONS_REFRESH) != 0)
        json_add_flag(params, "refresh", true);
    if (command_call(options, "Capabilities", params, CLIENT_SLOW_MS, &reply) != 0)
        return 1;
    if (options->json) {
        say_json(reply);
    } else {
        show_capabilities(json_member(reply, "capabilities"));
        line("pool", SAY_PLAIN, command_text(reply, "pool"));
        line("token", SAY_PLAIN, command_text(reply, "token"));
    }
    json_object_put(reply);
    return 0;
}
