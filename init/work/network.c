/* network: interfaces, through libnl-route. */
#include "network.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include "base/fd.h"
#include "base/inet.h"
#include "base/kmsg_log.h"
#include "libnl.h"
#include "resolv.h"
#include "wait.h"

#define SOCKET_FREE  __attribute__((cleanup(free_socket)))
#define CACHE_FREE   __attribute__((cleanup(free_cache)))
#define LINK_FREE    __attribute__((cleanup(free_link)))
#define ADDRESS_FREE __attribute__((cleanup(free_address)))
#define ROUTE_FREE   __attribute__((cleanup(free_route)))
#define NL_ADDR_FREE __attribute__((cleanup(free_nl_addr)))

/* One interface that is being configured. */
struct network_job {
    struct nl_sock *socket;
    int index;
    uint32_t metric;
    char name[IF_NAMESIZE];
    struct report *report;
    int kernel_errno;     /* of the newest request that the kernel refused, positive */
    char kernel_text[96]; /* what it said about it, or "" */
};

static void free_socket(struct nl_sock **p)
{
    nl_socket_free(*p); /* takes NULL */
}

static void free_cache(struct nl_cache **p)
{
    nl_cache_free(*p);
}

static void free_link(struct rtnl_link **p)
{
    rtnl_link_put(*p);
}

static void free_address(struct rtnl_addr **p)
{
    rtnl_addr_put(*p);
}

static void free_route(struct rtnl_route **p)
{
    rtnl_route_put(*p);
}

static void free_nl_addr(struct nl_addr **p)
{
    nl_addr_put(*p);
}

/*
 * The kernel's own errno and words, before libnl makes one of its few dozen numbers of them: most
 * would become "Unspecific failure".
 */
static int on_kernel_error(struct sockaddr_nl *address, struct nlmsgerr *error, void *context)
{
    struct network_job *job = context;
    const struct nlmsghdr *header =
        (const struct nlmsghdr *)(const void *)((const char *)error - NLMSG_HDRLEN);
    size_t skip = sizeof(*error);

    (void)address;
    job->kernel_errno = -error->error;
    job->kernel_text[0] = '\0';
    if (!(header->nlmsg_flags & NLM_F_CAPPED))
        skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) && header->nlmsg_len > NLMSG_HDRLEN + skip) {
        struct nlattr *text =
            nla_find((const struct nlattr *)(const void *)((char *)error + skip),
                     (int)(header->nlmsg_len - NLMSG_HDRLEN - skip), NLMSGERR_ATTR_MSG);

        if (text)
            (void)nla_strlcpy(job->kernel_text, text, sizeof(job->kernel_text));
    }
    return -nl_syserr2nlerr(error->error);
}

/* Failures of libnl itself have no errno of the kernel's. */
static int error_of(const struct network_job *job)
{
    return job->kernel_errno != 0 ? job->kernel_errno : EINVAL;
}

/* Notes one of several failures. @return @p error */
static int add_failure(struct network_job *job, int error, const char *text)
{
    struct report *report = job->report;

    if (strlen(report->text) + strlen(text) + IF_NAMESIZE >= sizeof(report->text))
        kmsg_log(LOG_WARNING, "network: %s: %s", job->name, text); /* what PID 1 logs is cut */
    return report->text[0] == '\0' ? report_add(report, error, "%s: %s", job->name, text)
                                   : report_add(report, error, "%s", text);
}

static int fail(struct network_job *job, int nl_error, const char *what, struct wire_text value)
{
    const char *said = job->kernel_errno != 0 ? strerror(job->kernel_errno) : nl_geterror(nl_error);
    char text[INIT_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s %.*s: %s%s%s", what,
                   (int)(value.size > 60 ? 60 : value.size), value.data ? value.data : "", said,
                   job->kernel_text[0] ? ": " : "", job->kernel_text);
    return add_failure(job, error_of(job), text);
}

static int refuse(struct network_job *job, const char *what, struct wire_text value,
                  const char *expected)
{
    char text[INIT_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s '%.*s': expected %s", what,
                   (int)(value.size > 60 ? 60 : value.size), value.data, expected);
    return add_failure(job, EINVAL, text);
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
    CACHE_FREE struct nl_cache *cache = NULL;
    int r;

    r = rtnl_link_alloc_cache(job->socket, AF_UNSPEC, &cache);
    if (r < 0)
        return -error_of(job);
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
        return fail(job, -NLE_NOMEM, "link", (struct wire_text){0});
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
        return fail(job, r, "up with MTU", wire_text_of(text));
    }
    if (r < 0)
        return fail(job, r, up ? "up" : "down", (struct wire_text){0});
    return 0;
}

static struct nl_addr *nl_addr_of(const struct inet *inet)
{
    struct nl_addr *address = nl_addr_build(inet->family, inet->bytes, inet_size(inet->family));

    if (address)
        nl_addr_set_prefixlen(address, inet->prefix);
    return address;
}

static int add_address(struct network_job *job, struct wire_text text)
{
    ADDRESS_FREE struct rtnl_addr *address = rtnl_addr_alloc();
    NL_ADDR_FREE struct nl_addr *local = NULL;
    struct inet inet;
    int r;

    if (inet_parse(text, &inet) < 0)
        return refuse(job, "address", text, "an address/prefix");
    local = nl_addr_of(&inet);
    if (!address || !local || rtnl_addr_set_local(address, local) < 0)
        return fail(job, -NLE_NOMEM, "address", text);
    rtnl_addr_set_ifindex(address, job->index);
    if (inet.family == AF_INET6) /* the host gave it: nobody else has it, nobody need wait */
        rtnl_addr_set_flags(address, IFA_F_NODAD);
    if (inet.family == AF_INET && inet.prefix < 31) {
        NL_ADDR_FREE struct nl_addr *broadcast = NULL;
        struct inet last = inet;

        for (unsigned bit = inet.prefix; bit < 32; bit++)
            last.bytes[bit / 8] = (uint8_t)(last.bytes[bit / 8] | (0x80u >> (bit % 8)));
        last.prefix = 32;
        broadcast = nl_addr_of(&last);
        if (broadcast)
            (void)rtnl_addr_set_broadcast(address, broadcast);
    }
    r = rtnl_addr_add(job->socket, address, 0);
    return r < 0 && job->kernel_errno != EEXIST ? fail(job, r, "address", text) : 0;
}

static struct rtnl_route *route_of(const struct network_job *job, const struct inet_route *order,
                                   unsigned hop_flags)
{
    ROUTE_FREE struct rtnl_route *route = rtnl_route_alloc();
    NL_ADDR_FREE struct nl_addr *destination = nl_addr_of(&order->destination);
    NL_ADDR_FREE struct nl_addr *gateway = nl_addr_of(&order->gateway);
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct rtnl_route *made = route;

    if (!route || !destination || !gateway || !hop) {
        rtnl_route_nh_free(hop);
        return NULL;
    }
    rtnl_route_nh_set_ifindex(hop, job->index);
    rtnl_route_nh_set_gateway(hop, gateway);
    rtnl_route_nh_set_flags(hop, hop_flags);
    rtnl_route_add_nexthop(route, hop); /* the route owns it now */
    (void)rtnl_route_set_family(route, (uint8_t)order->destination.family);
    (void)rtnl_route_set_dst(route, destination);
    rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
    rtnl_route_set_table(route, RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_set_type(route, RTN_UNICAST);
    rtnl_route_set_priority(route, job->metric);
    rtnl_route_set_flags(route, hop_flags);
    route = NULL;
    return made;
}

/* The kernel's 0/0 has no bytes, ours has as many as any address. */
static bool goes_to(struct rtnl_route *route, const struct nl_addr *destination)
{
    const struct nl_addr *other = rtnl_route_get_dst(route);
    unsigned prefix = other ? nl_addr_get_prefixlen(other) : 0;

    return prefix == nl_addr_get_prefixlen(destination) &&
           (prefix == 0 || nl_addr_cmp(other, destination) == 0);
}

/* True if @p route is one that an earlier request made, to where @p order goes, by another way. */
static bool is_outdated(const struct network_job *job, struct rtnl_route *route,
                        const struct inet_route *order)
{
    NL_ADDR_FREE struct nl_addr *destination = nl_addr_of(&order->destination);
    NL_ADDR_FREE struct nl_addr *gateway = nl_addr_of(&order->gateway);
    struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);

    if (!destination || !gateway || !hop || rtnl_route_get_nnexthops(route) != 1 ||
        rtnl_route_nh_get_ifindex(hop) != job->index ||
        rtnl_route_get_protocol(route) != RTPROT_STATIC ||
        rtnl_route_get_table(route) != RT_TABLE_MAIN ||
        rtnl_route_get_family(route) != order->destination.family || !goes_to(route, destination))
        return false;
    return rtnl_route_get_priority(route) != job->metric || !rtnl_route_nh_get_gateway(hop) ||
           nl_addr_cmp(rtnl_route_nh_get_gateway(hop), gateway) != 0;
}

static void delete_outdated(struct network_job *job, const struct inet_route *order)
{
    CACHE_FREE struct nl_cache *cache = NULL;

    if (rtnl_route_alloc_cache(job->socket, order->destination.family, 0, &cache) < 0)
        return;
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct rtnl_route *route = (struct rtnl_route *)object;

        if (is_outdated(job, route, order))
            (void)rtnl_route_delete(job->socket, route, 0);
    }
}

/* Beside whatever routes other interfaces have: none of them is replaced. */
static int add_route(struct network_job *job, const struct inet_route *order, const char *what,
                     struct wire_text text)
{
    static const unsigned ways[] = {0, RTNH_F_ONLINK};
    int r = 0;

    delete_outdated(job, order);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        ROUTE_FREE struct rtnl_route *route = route_of(job, order, ways[i]);

        if (!route)
            return fail(job, -NLE_NOMEM, what, text);
        job->kernel_errno = 0;
        r = rtnl_route_add(job->socket, route, NLM_F_APPEND);
        /* A gateway outside of the subnet, as IPv4 and as IPv6 have it: it is on the link all the
         * same. */
        if (r >= 0 || (job->kernel_errno != ENETUNREACH && job->kernel_errno != EHOSTUNREACH))
            break;
    }
    return r < 0 && job->kernel_errno != EEXIST ? fail(job, r, what, text) : 0;
}

static int add_gateway(struct network_job *job, struct wire_text text)
{
    struct inet_route route = {0};

    if (inet_parse(text, &route.gateway) < 0 ||
        route.gateway.prefix != inet_size(route.gateway.family) * 8)
        return refuse(job, "gateway", text, "an address");
    route.destination.family = route.gateway.family; /* 0/0: everything else */
    return add_route(job, &route, "gateway", text);
}

static int add_further_route(struct network_job *job, struct wire_text text)
{
    struct inet_route route;

    if (inet_parse_route(text, &route) < 0)
        return refuse(job, "route", text, "'destination/prefix gateway'");
    return add_route(job, &route, "route", text);
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
        (void)fail(job, 0, "accept_ra", (struct wire_text){0});
}

/* Routes go with the addresses and the link. */
static int remove_all(struct network_job *job)
{
    CACHE_FREE struct nl_cache *cache = NULL;
    int r = rtnl_addr_alloc_cache(job->socket, &cache);

    if (r < 0)
        return fail(job, r, "cannot list addresses", (struct wire_text){0});
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
    /* A host of protocol 1.0 names none: still one of its own for each interface. */
    job->metric = request->metric ? request->metric : INIT_METRIC_FIRST + (uint32_t)job->index;
    if (request->flags & REQUEST_NETWORK_NO_RA)
        refuse_advertisements(job);
    if (change_link(job, true, request->mtu) != 0 && request->mtu > 0)
        (void)change_link(job, true, 0);
    for_each(job, request->addresses, add_address);
    for_each(job, request->gateways, add_gateway);
    for_each(job, request->routes, add_further_route);
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
    const int on = 1;
    int r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

    if (r < 0) {
        (void)fail(&job, r, "open", (struct wire_text){0});
        return;
    }
    /* Kernels before 4.12 have no words of their own. */
    (void)setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, on_kernel_error, &job);
    configure(&job, order);
}
