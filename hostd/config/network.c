/* config network: the keys of an adapter. */
#include "vm.h"

#include "publish.h"
#include "strings.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* Linux' least MTU for IPv4, and the greatest that any virtio-net takes. */
#define MTU_MIN 68u
#define MTU_MAX 65535u
/* RFC 8200, section 5: below that, Linux has no IPv6 on an interface. */
#define MTU_IPV6 1280u

const char *const config_backend_names[] = {"user",    "tap",    "stream", "passt",
                                            "network", "bridge", NULL};

static void read_mac(struct config_reader *reader, const struct config_json *node,
                     const struct config_field *field, void *to)
{
    (void)field;
    if (node->type != CONFIG_JSON_TEXT || !config_text_parse_mac(node->text, to))
        config_reader_expected(reader, node, "a unicast MAC address such as \"52:54:00:12:34:56\"");
}

/* A text or a list of texts. */
static void read_gateway(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to)
{
    struct config_strings *gateways = to;

    config_reader_add_texts(reader, node, field, gateways);
    for (size_t i = 1; i < gateways->count; i++)
        for (size_t j = 0; j < i; j++)
            if ((strchr(gateways->items[i], ':') == NULL) ==
                (strchr(gateways->items[j], ':') == NULL))
                config_reader_error(reader, node,
                                    "two gateways of one family (%s, %s), expected at most one of "
                                    "IPv4 and one of IPv6",
                                    gateways->items[j], gateways->items[i]);
}

struct route {
    char *to, *via;
};

static const struct config_field route_fields[] = {
    CONFIG_KEY(route, to, text, .required = true, .check = config_text_check_address),
    CONFIG_KEY(route, via, text, .required = true, .check = config_text_check_ip),
};

static void read_routes(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    if (node->type != CONFIG_JSON_LIST || node->count > field->max) {
        config_reader_expected(reader, node, "a list of at most 64 {\"to\", \"via\"}");
        return;
    }
    for (const struct config_json *one = node->first; one != NULL; one = one->next) {
        struct route route = {0};
        char text[160];

        config_reader_object(reader, one, CONFIG_FIELDS(route_fields), &route);
        if (route.to != NULL && route.via != NULL) {
            if ((strchr(route.to, ':') == NULL) != (strchr(route.via, ':') == NULL))
                config_reader_error(reader, one,
                                    "`to` and `via` are of different address families, expected "
                                    "the same");
            (void)snprintf(text, sizeof(text), "%s %s", route.to, route.via);
            if (config_strings_add(to, text) < 0)
                reader->out_of_memory = true;
        }
        free(route.to);
        free(route.via);
    }
}

static void read_accept_ra(struct config_reader *reader, const struct config_json *node,
                           const struct config_field *field, void *to)
{
    bool accepts = true, *ignores = to;

    config_read_bool(reader, node, field, &accepts);
    *ignores = !accepts;
}

#define AT(member) offsetof(struct config_network, member)

static const struct config_field fields[] = {
    CONFIG_KEY(config_network, id, text, .required = true, .check = config_text_check_id),
    {.key = "mac", .read = read_mac, .offset = AT(mac), .required = true},
    CONFIG_KEY(config_network, address, texts, .max = 16, .check = config_text_check_address),
    {.key = "gateway", .read = read_gateway, .offset = AT(gateway), .check = config_text_check_ip},
    {.key = "routes", .read = read_routes, .offset = AT(routes), .max = 64},
    CONFIG_KEY(config_network, dns, texts, .max = 8, .check = config_text_check_ip),
    CONFIG_KEY(config_network, mtu, u32, .min = MTU_MIN, .max = MTU_MAX),
    CONFIG_KEY(config_network, metric, u32, .min = 1, .max = UINT32_MAX),
    {.key = "accept_ra", .read = read_accept_ra, .offset = AT(ignores_ra)},
    CONFIG_KEY(config_network, backend, enum, .names = config_backend_names),
    CONFIG_KEY(config_network, host_loopback, bool),
    CONFIG_KEY(config_network, interface, text, .check = config_text_check_interface),
    {.key = "network",
     .read = config_read_text,
     .offset = AT(interface),
     .check = config_text_check_domain},
    {.key = "bridge",
     .read = config_read_text,
     .offset = AT(interface),
     .check = config_text_check_interface},
    {.key = "socket",
     .read = config_read_text,
     .offset = AT(socket_path),
     .check = config_text_check_socket},
    CONFIG_KEY(config_network, publish, texts, .max = CONFIG_PUBLISH_MAX,
               .check = config_publish_check),
};

/* A key that its backend needs, or that no other backend has. */
static void check_belongs(struct config_reader *reader, const struct config_json *node,
                          const char *key, bool given, bool wanted, const char *backend)
{
    if (wanted && !given)
        config_reader_error(reader, node, "no key `%s`, expected one with backend \"%s\"", key,
                            backend);
    else if (given && !wanted)
        config_reader_error(reader, config_json_find(node, key),
                            "expected only with backend \"%s\"", backend);
}

/* Keys that name what is outside, each of one backend. */
static void check_named(struct config_reader *reader, const struct config_json *node,
                        enum config_backend backend)
{
    check_belongs(reader, node, "interface", config_json_find(node, "interface") != NULL,
                  backend == CONFIG_BACKEND_TAP, "tap");
    check_belongs(reader, node, "network", config_json_find(node, "network") != NULL,
                  backend == CONFIG_BACKEND_NETWORK, "network");
    check_belongs(reader, node, "bridge", config_json_find(node, "bridge") != NULL,
                  backend == CONFIG_BACKEND_BRIDGE, "bridge");
}

static bool has_family(const struct config_strings *addresses, bool ipv6)
{
    for (size_t i = 0; i < addresses->count; i++)
        if ((strchr(addresses->items[i], ':') != NULL) == ipv6)
            return true;
    return false;
}

/* QEMU's user-mode network listens on IPv4 alone; a passt that was told addresses of one family has
 * no other. */
static void check_publish(struct config_reader *reader, const struct config_json *node,
                          const struct config_network *network)
{
    const struct config_json *list = config_json_find(node, "publish");
    bool user = network->backend == CONFIG_BACKEND_USER;

    check_belongs(reader, node, "publish", list != NULL,
                  list != NULL && (user || network->backend == CONFIG_BACKEND_PASST),
                  "user\" or \"passt");
    for (size_t i = 0; i < network->publish.count; i++) {
        struct config_publish publish;

        if (config_publish_parse(network->publish.items[i], &publish) < 0)
            continue; /* told */
        if (user && publish.is_ipv6)
            config_reader_error(reader, list,
                                "\"%s\" has an IPv6 address, expected an IPv4 one with backend "
                                "\"user\"; \"passt\" has both",
                                network->publish.items[i]);
        else if (network->address.count > 0 && !has_family(&network->address, publish.is_ipv6))
            config_reader_error(reader, list,
                                "\"%s\" is for IPv%c, expected an address of that family among "
                                "the adapter's `address`",
                                network->publish.items[i], publish.is_ipv6 ? '6' : '4');
    }
}

/* The rest of the adapter works: no reason to refuse the file. */
static void check_mtu(struct config_reader *reader, const struct config_json *node,
                      const struct config_network *network)
{
    const struct config_json *mtu = config_json_find(node, "mtu");

    if (mtu != NULL && network->mtu > 0 && network->mtu < MTU_IPV6 &&
        (has_family(&network->address, true) || has_family(&network->gateway, true)))
        config_reader_warn(reader, mtu,
                           "%u, expected at least %u for IPv6; the guest will set only the "
                           "other addresses",
                           network->mtu, MTU_IPV6);
}

void config_network_read(struct config_reader *reader, const struct config_json *node,
                         struct config_network *network)
{
    bool loopback_given;

    config_reader_object(reader, node, CONFIG_FIELDS(fields), network);
    if (node->type != CONFIG_JSON_OBJECT)
        return;
    check_named(reader, node, network->backend);
    loopback_given = config_json_find(node, "host_loopback") != NULL;
    check_belongs(reader, node, "host_loopback", loopback_given,
                  loopback_given && (network->backend == CONFIG_BACKEND_USER ||
                                     network->backend == CONFIG_BACKEND_PASST),
                  "user\" or \"passt");
    check_belongs(reader, node, "socket", network->socket_path != NULL,
                  network->backend == CONFIG_BACKEND_STREAM, "stream");
    check_publish(reader, node, network);
    check_mtu(reader, node, network);
}

bool config_network_equal(const struct config_network *a, const struct config_network *b)
{
    return config_text_equal(a->id, b->id) && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           config_strings_equal(&a->address, &b->address) &&
           config_strings_equal(&a->gateway, &b->gateway) &&
           config_strings_equal(&a->routes, &b->routes) && config_strings_equal(&a->dns, &b->dns) &&
           a->mtu == b->mtu && a->metric == b->metric && a->ignores_ra == b->ignores_ra &&
           a->backend == b->backend &&
           /* Of `user` the device is the same, and the VM's unit looks at its start. */
           (a->backend != CONFIG_BACKEND_PASST || a->host_loopback == b->host_loopback) &&
           config_text_equal(a->interface, b->interface) &&
           config_text_equal(a->socket_path, b->socket_path) &&
           config_strings_equal(&a->publish, &b->publish);
}

void config_network_done(struct config_network *network)
{
    free(network->id);
    config_strings_done(&network->address);
    config_strings_done(&network->gateway);
    config_strings_done(&network->routes);
    config_strings_done(&network->dns);
    free(network->interface);
    free(network->socket_path);
    config_strings_done(&network->publish);
}
