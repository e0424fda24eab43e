/* route: made beside those of other interfaces, in place of an earlier request's. */
#include "route.h"

#include <errno.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <netlink/route/route.h>

#define ROUTE_FREE __attribute__((cleanup(free_route)))

static void free_route(struct rtnl_route **p)
{
    rtnl_route_put(*p);
}

static struct rtnl_route *route_of(const struct network_job *job, const struct inet_route *order,
                                   unsigned hop_flags)
{
    ROUTE_FREE struct rtnl_route *route = rtnl_route_alloc();
    NETWORK_ADDRESS_FREE struct nl_addr *destination = network_address_of(&order->destination);
    NETWORK_ADDRESS_FREE struct nl_addr *gateway = network_address_of(&order->gateway);
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
    NETWORK_ADDRESS_FREE struct nl_addr *destination = network_address_of(&order->destination);
    NETWORK_ADDRESS_FREE struct nl_addr *gateway = network_address_of(&order->gateway);
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

struct search {
    const struct network_job *job;
    const struct inet_route *order;
    struct rtnl_route *found; /* owned; NULL: none so far */
};

static void look_at(struct nl_object *object, void *context)
{
    struct search *search = context;
    struct rtnl_route *route = (struct rtnl_route *)object;

    if (search->found || !is_outdated(search->job, route, search->order))
        return;
    nl_object_get(object);
    search->found = route;
}

static int on_message(struct nl_msg *message, void *context)
{
    (void)nl_msg_parse(message, look_at, context);
    return NL_OK;
}

/* Without a cache of libnl's, which keeps one of the routes that differ only in interface and
 * gateway. @return a route, the caller's; NULL: none is outdated */
static struct rtnl_route *find_outdated(struct network_job *job, const struct inet_route *order)
{
    struct rtmsg header = {.rtm_family = (unsigned char)order->destination.family};
    struct search search = {.job = job, .order = order};

    if (nl_send_simple(job->socket, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header)) < 0)
        return NULL;
    (void)nl_socket_modify_cb(job->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, &search);
    (void)nl_recvmsgs_default(job->socket);
    (void)nl_socket_modify_cb(job->socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
    return search.found;
}

static void delete_outdated(struct network_job *job, const struct inet_route *order)
{
    for (;;) {
        ROUTE_FREE struct rtnl_route *route = find_outdated(job, order);

        if (!route || rtnl_route_delete(job->socket, route, 0) < 0)
            return;
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
            return network_job_fail(job, -NLE_NOMEM, what, text);
        job->kernel_errno = 0;
        r = rtnl_route_add(job->socket, route, NLM_F_APPEND);
        /* A gateway outside of the subnet, as IPv4 and as IPv6 have it: it is on the link all the
         * same. */
        if (r >= 0 || (job->kernel_errno != ENETUNREACH && job->kernel_errno != EHOSTUNREACH))
            break;
    }
    return r < 0 && job->kernel_errno != EEXIST ? network_job_fail(job, r, what, text) : 0;
}

int route_add_gateway(struct network_job *job, struct wire_text text)
{
    struct inet_route route = {0};

    if (inet_parse(text, &route.gateway) < 0 ||
        route.gateway.prefix != inet_size(route.gateway.family) * 8)
        return network_job_refuse(job, "gateway", text, "an address");
    route.destination.family = route.gateway.family; /* 0/0: everything else */
    return add_route(job, &route, "gateway", text);
}

int route_add(struct network_job *job, struct wire_text text)
{
    struct inet_route route;

    if (inet_parse_route(text, &route) < 0)
        return network_job_refuse(job, "route", text, "'destination/prefix gateway'");
    return add_route(job, &route, "route", text);
}
