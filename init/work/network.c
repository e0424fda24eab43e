/* network: interfaces, through libnl-route. */
#include "network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "base/fd.h"
#include "libnl.h"
#include "network_job.h"
#include "resolv.h"
#include "route.h"
#include "wait.h"

#define SOCKET_FREE  __attribute__((cleanup(free_socket)))
#define LINK_FREE    __attribute__((cleanup(free_link)))
#define ADDRESS_FREE __attribute__((cleanup(free_address)))

static void free_socket(struct nl_sock **p)
{
    nl_socket_free(*p); /* takes NULL */
}

static void free_link(struct rtnl_link **p)
{
    rtnl_link_put(*p);
}

static void free_address(struct rtnl_addr **p)
{
    rtnl_addr_put(*p);
}

static bool has_mac(struct rtnl_link *link, const uint8_t mac[6])
{
    struct nl_addr *address = rtnl_link_get_addr(link);

    return address && nl_addr_get_len(address) == 6 &&
           memcmp(nl_addr_get_binary_addr(address), mac, 6) == 0;
}

/* @return 0, -ENODEV if there is no such interface now, or a negative errno */
static int find_interface(struct network_job *job, const uint8_t mac[6])
{
    NETWORK_CACHE_FREE struct nl_cache *cache = NULL;
    int r;

    r = rtnl_link_alloc_cache(job->socket, AF_UNSPEC, &cache);
    if (r < 0)
        return -network_job_error(job);
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct rtnl_link *link = (struct rtnl_link *)object;

        if (!has_mac(link, mac))
            continue;
        job->index = rtnl_link_get_ifindex(link);
        (void)snprintf(job->name, sizeof(job->name), "%s", rtnl_link_get_name(link));
        return 0;
    }
    return -ENODEV;
}

static int wait_for_interface(struct network_job *job, const struct network_order *order)
{
    const uint8_t *mac = order->request.mac;
    WAIT_END struct wait wait = wait_begin(order->late, order->request.timeout_ms);
    int r;

    (void)snprintf(job->name, sizeof(job->name), "interface");
    while ((r = find_interface(job, mac)) == -ENODEV) {
        r = wait_next(&wait, "net");
        if (r == -ETIMEDOUT)
            return report_fail(job->report, ETIMEDOUT,
                               "no interface with the MAC %02x:%02x:%02x:%02x:%02x:%02x "
                               "appeared within %u ms%.115s",
                               mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
                               order->request.timeout_ms, order->late->failed);
        if (r < 0)
            return report_fail(job->report, -r, "cannot wait for an interface: %s", strerror(-r));
    }
    if (r < 0)
        return report_fail(job->report, -r, "cannot list the interfaces: %s", strerror(-r));
    return 0;
}

static int change_link(struct network_job *job, bool up, uint32_t mtu)
{
    LINK_FREE struct rtnl_link *which = rtnl_link_alloc();
    LINK_FREE struct rtnl_link *change = rtnl_link_alloc();
    int r;

    if (!which || !change)
        return network_job_fail(job, -NLE_NOMEM, "link", (struct wire_text){0});
    rtnl_link_set_ifindex(which, job->index);
    if (mtu > 0)
        rtnl_link_set_mtu(change, mtu);
    if (up)
        rtnl_link_set_flags(change, IFF_UP);
    else
        rtnl_link_unset_flags(change, IFF_UP);
    r = rtnl_link_change(job->socket, which, change, 0);
    if (r < 0 && mtu > 0) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%u", mtu);
        return network_job_fail(job, r, "up with MTU", wire_text_of(text));
    }
    if (r < 0)
        return network_job_fail(job, r, up ? "up" : "down", (struct wire_text){0});
    return 0;
}

static int add_address(struct network_job *job, struct wire_text text)
{
    ADDRESS_FREE struct rtnl_addr *address = rtnl_addr_alloc();
    NETWORK_ADDRESS_FREE struct nl_addr *local = NULL;
    struct inet inet;
    int r;

    if (inet_parse(text, &inet) < 0)
        return network_job_refuse(job, "address", text, "an address/prefix");
    local = network_address_of(&inet);
    if (!address || !local || rtnl_addr_set_local(address, local) < 0)
        return network_job_fail(job, -NLE_NOMEM, "address", text);
    rtnl_addr_set_ifindex(address, job->index);
    if (inet.family == AF_INET6) /* the host gave it: nobody else has it, nobody need wait */
        rtnl_addr_set_flags(address, IFA_F_NODAD);
    if (inet.family == AF_INET && inet.prefix < 31) {
        NETWORK_ADDRESS_FREE struct nl_addr *broadcast = NULL;
        struct inet last = inet;

        for (unsigned bit = inet.prefix; bit < 32; bit++)
            last.bytes[bit / 8] = (uint8_t)(last.bytes[bit / 8] | (0x80u >> (bit % 8)));
        last.prefix = 32;
        broadcast = network_address_of(&last);
        if (broadcast)
            (void)rtnl_addr_set_broadcast(address, broadcast);
    }
    r = rtnl_addr_add(job->socket, address, 0);
    return r < 0 && job->kernel_errno != EEXIST ? network_job_fail(job, r, "address", text) : 0;
}

/* One that cannot be set does not keep the others from being set. */
static void for_each(struct network_job *job, struct wire_list list,
                     int (*add)(struct network_job *job, struct wire_text text))
{
    struct wire_text text;

    while (wire_list_next(&list, &text)) {
        job->kernel_errno = 0;
        job->kernel_text[0] = '\0';
        (void)add(job, text);
    }
}

/* Before the link is up: a router is asked at once then. */
static void refuse_advertisements(struct network_job *job)
{
    char path[sizeof("/proc/sys/net/ipv6/conf//accept_ra") + IF_NAMESIZE];
    int r;

    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", job->name);
    r = fd_write_file(path, "0");
    job->kernel_errno = -r;
    if (r < 0 && r != -ENOENT) /* without IPv6 there are none */
        (void)network_job_fail(job, 0, "accept_ra", (struct wire_text){0});
}

/* Routes go with the addresses and the link. */
static int remove_all(struct network_job *job)
{
    NETWORK_CACHE_FREE struct nl_cache *cache = NULL;
    int r = rtnl_addr_alloc_cache(job->socket, &cache);

    if (r < 0)
        return network_job_fail(job, r, "cannot list addresses", (struct wire_text){0});
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct rtnl_addr *address = (struct rtnl_addr *)object;

        if (rtnl_addr_get_ifindex(address) == job->index)
            (void)rtnl_addr_delete(job->socket, address, 0);
    }
    return change_link(job, false, 0);
}

static void take_away(struct network_job *job, const uint8_t mac[6])
{
    int r = find_interface(job, mac);

    if (r == -ENODEV)
        (void)snprintf(job->name, sizeof(job->name), "-"); /* gone: its name servers go, too */
    else if (r < 0)
        (void)report_fail(job->report, -r, "cannot list the interfaces: %s", strerror(-r));
    else
        (void)remove_all(job);
    if (job->report->error == 0)
        resolv_set(&(struct resolv){.interface = job->name}, job->report);
}

static void configure(struct network_job *job, const struct network_order *order)
{
    const struct request_configure_network *request = &order->request;

    if (request->flags & REQUEST_NETWORK_REMOVE) {
        take_away(job, request->mac);
        return;
    }
    if (wait_for_interface(job, order) != 0)
        return;
    /* A host of protocol 1.0 names none: still a different one for each interface. */
    job->metric = request->metric ? request->metric : INIT_METRIC_FIRST + (uint32_t)job->index;
    if (request->flags & REQUEST_NETWORK_NO_RA)
        refuse_advertisements(job);
    if (change_link(job, true, request->mtu) != 0 && request->mtu > 0)
        (void)change_link(job, true, 0);
    for_each(job, request->addresses, add_address);
    for_each(job, request->gateways, route_add_gateway);
    for_each(job, request->routes, route_add);
    resolv_set(&(struct resolv){.interface = job->name,
                                .metric = job->metric,
                                .dns = request->dns,
                                .is_private = (request->flags & REQUEST_NETWORK_NO_RESOLV) != 0,
                                .is_distributions = order->agent},
               job->report);
}

void network_configure(const void *argument, struct report *report)
{
    const struct network_order *order = argument;
    SOCKET_FREE struct nl_sock *socket = libnl_socket_alloc();
    struct network_job job = {.socket = socket, .report = report, .name = "route socket"};
    int r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

    if (r < 0) {
        (void)network_job_fail(&job, r, "open", (struct wire_text){0});
        return;
    }
    network_job_listen(&job);
    configure(&job, order);
}
