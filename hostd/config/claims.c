/* config claims: all of them in the file's order, sorted by value; each is compared with the first
 * of its value. Thousands of VMs are fine. */
#include "claims.h"

#include "publish.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { PATH, TAP, MAC, PORT, DOMAIN };

struct claim {
    enum kind kind;
    char *value;
    const struct config_json *node; /* NULL: a default */
    const struct config_json *vm;   /* NULL: the daemon's */
    const char *key;
    bool door;   /* one that guests call at */
    bool shared; /* a MAC: on a network with others */
    const struct claim *first;
};

struct claims {
    struct claim *items;
    size_t count, capacity;
    bool out_of_memory;
};

/* @param text  copied; NULL: nothing is claimed. @return the claim, or NULL */
static struct claim *add(struct claims *claims, enum kind kind, const char *text, const char *key,
                         const struct config_json *node, const struct config_json *vm)
{
    struct claim *claim;

    if (text == NULL)
        return NULL;
    if (claims->count == claims->capacity) {
        size_t capacity = 2 * claims->capacity + 64;
        struct claim *grown = realloc(claims->items, capacity * sizeof(*grown));

        if (grown == NULL) {
            claims->out_of_memory = true;
            return NULL;
        }
        claims->items = grown;
        claims->capacity = capacity;
    }
    claim = &claims->items[claims->count];
    *claim =
        (struct claim){.kind = kind, .value = strdup(text), .node = node, .vm = vm, .key = key};
    if (claim->value == NULL) {
        claims->out_of_memory = true;
        return NULL;
    }
    if (kind == PATH)
        config_text_normalise_path(claim->value);
    claims->count++;
    return claim;
}

static const struct config_json *find(const struct config_json *object, const char *key)
{
    return object != NULL && object->type == CONFIG_JSON_OBJECT ? config_json_find(object, key)
                                                                : NULL;
}

/* Sorted by port, so that one on all addresses is the first of its family's. */
static void add_ports(struct claims *claims, const struct config_json *node,
                      const struct config_strings *list, const struct config_json *vm)
{
    const struct config_json *one =
        node != NULL && node->type == CONFIG_JSON_LIST ? node->first : NULL;

    for (size_t i = 0; i < list->count && one != NULL; i++, one = one->next) {
        struct config_publish publish;
        char text[INET6_ADDRSTRLEN + 16];

        if (config_publish_parse(list->items[i], &publish) < 0)
            continue;
        (void)snprintf(text, sizeof(text), "%u/%s IPv%c %s", publish.port,
                       publish.is_udp ? "udp" : "tcp", publish.is_ipv6 ? '6' : '4',
                       config_publish_is_any(&publish) ? "" : publish.address);
        add(claims, PORT, text, "publish", one, vm);
    }
}

static void add_adapters(struct claims *claims, const struct config_json *node,
                         const struct config_vm *vm)
{
    const struct config_json *list = find(node, "network");
    const struct config_json *one = list != NULL ? list->first : NULL;
    char mac[18];

    for (size_t i = 0; i < vm->network_count && one != NULL; i++, one = one->next) {
        const struct config_network *network = &vm->networks[i];
        const uint8_t *m = network->mac;
        struct claim *claim;

        add(claims, TAP, network->backend == CONFIG_BACKEND_TAP ? network->interface : NULL,
            "interface", find(one, "interface"), node);
        add(claims, PATH, network->socket_path, "socket", find(one, "socket"), node);
        add_ports(claims, find(one, "publish"), &network->publish, node);
        (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
                       m[4], m[5]);
        claim =
            add(claims, MAC, find(one, "mac") != NULL ? mac : NULL, "mac", find(one, "mac"), node);
        if (claim != NULL)
            claim->shared =
                network->backend != CONFIG_BACKEND_USER && network->backend != CONFIG_BACKEND_PASST;
    }
}

static void add_domain(struct claims *claims, const struct config_json *node,
                       const struct config_vm *vm)
{
    const struct config_json *host = find(node, "device_host");
    const struct config_json *domain = find(host, "domain");
    char *value = NULL;

    if (vm->device_host.type != CONFIG_DEVICE_HOST_LIBVIRT || vm->device_host.domain == NULL)
        return;
    if (asprintf(&value, "%s of %s", vm->device_host.domain, vm->device_host.uri) < 0) {
        claims->out_of_memory = true;
        return;
    }
    add(claims, DOMAIN, value, "domain", domain != NULL ? domain : host, node);
    free(value);
}

static void add_vms(struct claims *claims, const struct config_json *root,
                    const struct config *config)
{
    const struct config_json *list = find(root, "vms");
    const struct config_json *node = list != NULL ? list->first : NULL;

    for (size_t i = 0; i < config->vm_count && node != NULL; i++, node = node->next) {
        const struct config_vm *vm = &config->vms[i];
        struct claim *door = add(claims, PATH, vm->socket, "socket", find(node, "socket"), node);

        if (door != NULL)
            door->door = true;
        add(claims, PATH, vm->device_host.qmp, "qmp", find(find(node, "device_host"), "qmp"), node);
        add_domain(claims, node, vm);
        add_adapters(claims, node, vm);
    }
}

static void add_daemons(struct claims *claims, const struct config_json *root,
                        const struct config *config)
{
    const struct config_json *listen = find(root, "listen");
    const struct config_json *one = listen != NULL ? listen->first : NULL;

    add(claims, PATH, config->control, "control", find(root, "control"), NULL);
    add(claims, PATH, config->metrics, "metrics", find(root, "metrics"), NULL);
    add(claims, PATH, config->telemetry.file, "file", find(find(root, "telemetry"), "file"), NULL);
    for (size_t i = 0; i < config->listen.count && one != NULL; i++, one = one->next) {
        const char *text = config->listen.items[i];
        struct claim *door = strncmp(text, "unix:", 5) == 0
                                 ? add(claims, PATH, text + 5, "listen", one, NULL)
                                 : NULL;

        if (door != NULL)
            door->door = true;
    }
}

static int compare(const void *a, const void *b)
{
    const struct claim *left = *(struct claim *const *)a, *right = *(struct claim *const *)b;
    int order = left->kind != right->kind ? (int)left->kind - (int)right->kind
                                          : strcmp(left->value, right->value);

    return order != 0 ? order : (left > right) - (left < right);
}

/* A port on all addresses is that port on each. */
static bool is_same(const struct claim *first, const struct claim *other)
{
    size_t size = strlen(first->value);

    if (first->kind != other->kind)
        return false;
    return first->kind == PORT && first->value[size - 1] == ' '
               ? strncmp(first->value, other->value, size) == 0
               : strcmp(first->value, other->value) == 0;
}

/* A VM's socket that is in `listen` is its door. */
static bool is_door_in_listen(const struct claim *first, const struct claim *one)
{
    return first->door && one->door && (first->vm == NULL) != (one->vm == NULL);
}

/* True of one that others of its value collide with more than with the first: what `listen` lets
 * one VM have is that VM's; a MAC on a network with others is no other VM's there. */
static bool stands_for(const struct claim *first, const struct claim *one)
{
    return is_door_in_listen(first, one) || (one->shared && !first->shared);
}

/* Each claim learns who was the first with its value. */
static void find_first(struct claims *claims)
{
    struct claim **sorted = calloc(claims->count + 1, sizeof(struct claim *));
    const struct claim *first = NULL;

    if (sorted == NULL) {
        claims->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < claims->count; i++)
        sorted[i] = &claims->items[i];
    qsort(sorted, claims->count, sizeof(struct claim *), compare);
    for (size_t i = 0; i < claims->count; i++) {
        bool same = first != NULL && is_same(first, sorted[i]);

        if (same)
            sorted[i]->first = first;
        if (!same || stands_for(first, sorted[i]))
            first = sorted[i];
    }
    free(sorted);
}

static void tell(struct config_reader *reader, const struct claim *claim)
{
    const struct claim *first = claim->first, *told = claim;
    const char *same = "also used by another VM";
    const char *value;
    char where[96];

    if (claim->node == NULL) { /* a default: report the line of the file */
        told = first;
        first = claim;
    }
    if (first->node != NULL)
        (void)snprintf(where, sizeof(where), "`%s` on line %u", first->key, first->node->line);
    else
        (void)snprintf(where, sizeof(where), "`%s`, by default", first->key);
    if (told->node == NULL)
        return; /* two defaults */
    value = told->kind == PORT ? told->node->text : told->value;
    if (claim->kind == MAC && !(claim->shared && first->shared))
        config_reader_warn(reader, told->node,
                           "\"%s\" is %s (%s); this works only if the two VMs are on different "
                           "networks",
                           value, same, where);
    else if (told->vm != NULL && first->vm != NULL && told->vm != first->vm)
        config_reader_error(reader, told->node, "\"%s\" is %s (%s), expected a unique value", value,
                            same, where);
    else
        config_reader_error(reader, told->node, "\"%s\" is already used by %s, expected another",
                            value, where);
}

/* Two equal MACs within one VM are reported where the VM is read. */
static bool is_fine(const struct claim *claim)
{
    const struct claim *first = claim->first;

    return first == NULL || is_door_in_listen(first, claim) ||
           (claim->kind == MAC && claim->vm == first->vm);
}

void config_claims_check(struct config_reader *reader, const struct config_json *root,
                         const struct config *config)
{
    struct claims claims = {0};

    add_daemons(&claims, root, config);
    add_vms(&claims, root, config);
    find_first(&claims);
    for (size_t i = 0; i < claims.count; i++)
        if (!is_fine(&claims.items[i]))
            tell(reader, &claims.items[i]);
    if (claims.out_of_memory)
        reader->out_of_memory = true;
    for (size_t i = 0; i < claims.count; i++)
        free(claims.items[i].value);
    free(claims.items);
}
