/* network: addresses, routes, MTU and state of an interface, as the kernel has them then. It is one
 * of a real pair, in a network namespace of the test's own (place.h). */
#include "descriptors.h"
#include "init/base/limits.h"
#include "init/work/network.h"
#include "init/work/network_job.h"
#include "init/work/wait.h"
#include "kmsg_played.h"
#include "listed.h"
#include "place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>

#include <cmocka.h>

#define RESOLV "/run/guestlink/resolv.conf"
#define RA     "/proc/sys/net/ipv6/conf/inside/accept_ra"

static struct nl_sock *routes; /* the test's own socket */
static bool has_ipv6;
static uint8_t mac[6]; /* of the interface */

static struct {
    int waits, wait_error; /* of the second wait */
    bool comes;            /* the interface does, at the second wait */
    int write_error;       /* of accept_ra */
    bool was_up;           /* then */
} played;

static short flags_of(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r;

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    r = ioctl(fd, SIOCGIFFLAGS, &request);
    (void)close(fd);
    assert_int_equal(r, 0);
    return request.ifr_flags;
}

static int mtu_of(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r;

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    r = ioctl(fd, SIOCGIFMTU, &request);
    (void)close(fd);
    assert_int_equal(r, 0);
    return request.ifr_mtu;
}

static void note_mac(void)
{
    struct ifreq request = {.ifr_name = "inside"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = ioctl(fd, SIOCGIFHWADDR, &request);

    (void)close(fd);
    assert_int_equal(r, 0);
    memcpy(mac, request.ifr_hwaddr.sa_data, sizeof(mac));
}

/* @return false: this kernel has no such pairs */
static bool make_pair(void)
{
    if (rtnl_link_veth_add(routes, "inside", "outside", getpid()) < 0)
        return false;
    note_mac();
    return true;
}

int __wrap_wait_next(struct wait *wait, const char *subsystem);
int __wrap_wait_next(struct wait *wait, const char *subsystem)
{
    (void)wait;
    assert_string_equal(subsystem, "net");
    played.waits++;
    if (played.comes && played.waits == 2) {
        struct rtnl_link *named = rtnl_link_alloc(), *change = rtnl_link_alloc();
        struct nl_addr *address = nl_addr_build(AF_LLC, "\2\0\0\0\0\x11", 6);

        rtnl_link_set_ifindex(named, (int)if_nametoindex("inside"));
        rtnl_link_set_addr(change, address);
        assert_int_equal(rtnl_link_change(routes, named, change, 0), 0);
        nl_addr_put(address);
        rtnl_link_put(named);
        rtnl_link_put(change);
    }
    return played.waits == 2 ? played.wait_error : 0;
}

int __real_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    assert_string_equal(path, RA);
    played.was_up = flags_of("inside") & IFF_UP;
    return played.write_error ? played.write_error : __real_fd_write_file(path, text);
}

static int begin(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    kmsg_played[0] = '\0';
    place_folder("/run");
    routes = nl_socket_alloc();
    assert_int_equal(nl_connect(routes, NETLINK_ROUTE), 0);
    assert_true(make_pair());
    return 0;
}

static int finish(void **state)
{
    struct rtnl_link *link = rtnl_link_alloc();

    (void)state;
    rtnl_link_set_name(link, "inside");
    (void)rtnl_link_delete(routes, link); /* and its peer */
    rtnl_link_put(link);
    nl_socket_free(routes);
    place_clear();
    return 0;
}

static const struct modules_late loaded = {.failed = "; modules that cannot be loaded: e1000"};

/* What is wanted of it: lists with commas. */
struct wanted {
    const char *addresses, *gateways, *routes, *dns;
    uint32_t flags, mtu, metric;
    bool agent;
};

static struct report configure(const struct wanted *wanted)
{
    static uint8_t bytes[4][4096];
    struct network_order order = {.late = &loaded, .agent = wanted->agent};
    struct request_configure_network *request = &order.request;
    struct report report = {0};

    memcpy(request->mac, mac, sizeof(mac));
    request->timeout_ms = 30;
    request->flags = wanted->flags;
    request->mtu = wanted->mtu;
    request->metric = wanted->metric;
    request->addresses =
        listed(wanted->addresses ? wanted->addresses : "", bytes[0], sizeof(bytes[0]));
    request->gateways =
        listed(wanted->gateways ? wanted->gateways : "", bytes[1], sizeof(bytes[1]));
    request->routes = listed(wanted->routes ? wanted->routes : "", bytes[2], sizeof(bytes[2]));
    request->dns = listed(wanted->dns ? wanted->dns : "", bytes[3], sizeof(bytes[3]));
    network_configure(&order, &report);
    return report;
}

static void set(const struct wanted *wanted)
{
    struct report report = configure(wanted);

    assert_string_equal(report.text, "");
    assert_int_equal(report.error, 0);
}

static void refused(const struct wanted *wanted, int error, const char *text)
{
    struct report report = configure(wanted);

    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
}

/* Adds a word and, if @p address is one, that. */
static void note(char *text, const char *word, const struct nl_addr *address)
{
    char printed[64] = "";

    if (address)
        (void)nl_addr2str(address, printed, sizeof(printed));
    (void)snprintf(text + strlen(text), 2048 - strlen(text), "%s%s", word, printed);
}

/* The addresses of an interface that the kernel did not give it by itself. */
static void expect_addresses(const char *name, const char *expected)
{
    struct nl_cache *cache;
    char text[2048] = "";

    assert_int_equal(rtnl_addr_alloc_cache(routes, &cache), 0);
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct rtnl_addr *address = (struct rtnl_addr *)object;

        if (rtnl_addr_get_ifindex(address) != (int)if_nametoindex(name) ||
            (rtnl_addr_get_family(address) == AF_INET6 &&
             rtnl_addr_get_scope(address) == RT_SCOPE_LINK))
            continue;
        note(text, "", rtnl_addr_get_local(address));
        if (rtnl_addr_get_broadcast(address))
            note(text, " brd ", rtnl_addr_get_broadcast(address));
        if (rtnl_addr_get_flags(address) & IFA_F_NODAD)
            note(text, " nodad", NULL);
        note(text, "\n", NULL);
    }
    nl_cache_free(cache);
    assert_string_equal(text, expected);
}

static void note_route(struct nl_object *object, void *text)
{
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
    char name[IF_NAMESIZE] = "-", metric[32];

    if (!hop || !rtnl_route_nh_get_gateway(hop))
        return;
    (void)if_indextoname((unsigned)rtnl_route_nh_get_ifindex(hop), name);
    note(text, "", rtnl_route_get_dst(route));
    note(text, " via ", rtnl_route_nh_get_gateway(hop));
    (void)snprintf(metric, sizeof(metric), " %s %u", name, rtnl_route_get_priority(route));
    note(text, metric, NULL);
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN)
        note(text, " elsewhere", NULL);
    if (rtnl_route_get_type(route) != RTN_UNICAST)
        note(text, " another", NULL);
    if (rtnl_route_get_protocol(route) == RTPROT_BOOT)
        note(text, " boot", NULL);
    else if (rtnl_route_get_protocol(route) != RTPROT_STATIC)
        note(text, " whose", NULL);
    if (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK)
        note(text, " onlink", NULL);
    note(text, "\n", NULL);
}

static int note_message(struct nl_msg *message, void *text)
{
    return nl_msg_parse(message, note_route, text) < 0 ? NL_STOP : NL_OK;
}

/* The routes of a family that have a gateway. */
static void expect_routes(int family, const char *expected)
{
    struct rtmsg header = {.rtm_family = (unsigned char)family};
    char text[2048] = "";

    assert_true(nl_send_simple(routes, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header)) > 0);
    (void)nl_socket_modify_cb(routes, NL_CB_VALID, NL_CB_CUSTOM, note_message, text);
    assert_int_equal(nl_recvmsgs_default(routes), 0);
    (void)nl_socket_modify_cb(routes, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
    assert_string_equal(text, expected);
}

/* Adds a route that is not of ours. */
static void add_foreign(const char *to, const char *by, const char *name, unsigned metric,
                        uint8_t protocol, uint32_t table)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *destination, *gateway;

    assert_int_equal(nl_addr_parse(to, AF_INET, &destination), 0);
    assert_int_equal(nl_addr_parse(by, AF_INET, &gateway), 0);
    rtnl_route_nh_set_ifindex(hop, (int)if_nametoindex(name));
    rtnl_route_nh_set_gateway(hop, gateway);
    rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
    rtnl_route_add_nexthop(route, hop);
    (void)rtnl_route_set_family(route, AF_INET);
    (void)rtnl_route_set_dst(route, destination);
    rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
    rtnl_route_set_table(route, table);
    rtnl_route_set_protocol(route, protocol);
    (void)rtnl_route_set_type(route, RTN_UNICAST);
    rtnl_route_set_priority(route, metric);
    rtnl_route_set_flags(route, RTNH_F_ONLINK);
    assert_int_equal(rtnl_route_add(routes, route, NLM_F_APPEND), 0);
    nl_addr_put(destination);
    nl_addr_put(gateway);
    rtnl_route_put(route);
}

static void interface_is_configured(void **state)
{
    const struct wanted wanted = {.addresses = "192.0.2.5/24",
                                  .gateways = "192.0.2.1",
                                  .routes = "198.51.100.0/24 192.0.2.9",
                                  .dns = "192.0.2.53",
                                  .mtu = 1400,
                                  .metric = 7};

    (void)state;
    for (int i = 0; i < 2; i++) { /* what is there already is no error */
        set(&wanted);
        expect_addresses("inside", "192.0.2.5/24 brd 192.0.2.255\n");
        expect_routes(AF_INET, "none via 192.0.2.1 inside 7\n"
                               "198.51.100.0/24 via 192.0.2.9 inside 7\n");
        assert_int_equal(mtu_of("inside"), 1400);
        assert_true(flags_of("inside") & IFF_UP);
        place_expect(RESOLV, "nameserver 192.0.2.53\n");
        place_expect("/etc/resolv.conf", "nameserver 192.0.2.53\n");
    }
    assert_int_equal(access("/run/guestlink/dns/0000000007-inside", F_OK), 0);
    assert_int_equal(mtu_of("outside"), 1500);
    assert_false(flags_of("outside") & IFF_UP);
    assert_int_equal(played.waits, 0);
}

static void ipv6_is_configured(void **state)
{
    (void)state;
    if (!has_ipv6)
        skip();
    for (int i = 0; i < 2; i++) {
        set(&(struct wanted){.addresses = "2001:db8::5/64",
                             .gateways = "2001:db8::1",
                             .routes = "2001:db8:1::/48 2001:db8::9",
                             .metric = 7});
        expect_addresses("inside", "2001:db8::5/64 nodad\n");
        expect_routes(AF_INET6, "2001:db8:1::/48 via 2001:db8::9 inside 7\n"
                                "none via 2001:db8::1 inside 7\n");
    }
    set(&(struct wanted){.gateways = "2001:db8:ff::1", .metric = 7}); /* of another subnet */
    expect_routes(AF_INET6, "2001:db8:1::/48 via 2001:db8::9 inside 7\n"
                            "none via 2001:db8:ff::1 inside 7 onlink\n");
}

static void broadcast_is_the_last_address(void **state)
{
    (void)state;
    set(&(struct wanted){.addresses = "10.1.2.3/9,192.0.2.5/20,192.0.2.9/30,192.0.2.20/31,"
                                      "192.0.2.30/32,192.0.2.40"});
    expect_addresses("inside", "10.1.2.3/9 brd 10.127.255.255\n"
                               "192.0.2.5/20 brd 192.0.15.255\n"
                               "192.0.2.9/30 brd 192.0.2.11\n"
                               "192.0.2.20/31\n192.0.2.30\n192.0.2.40\n");
}

static void host_that_names_no_metric_has_one_for_each_interface(void **state)
{
    char expected[64];

    (void)state;
    set(&(struct wanted){.addresses = "192.0.2.5/24", .gateways = "192.0.2.1"});
    (void)snprintf(expected, sizeof(expected), "none via 192.0.2.1 inside %u\n",
                   INIT_METRIC_FIRST + if_nametoindex("inside"));
    expect_routes(AF_INET, expected);
}

static void gateway_of_another_subnet_is_on_the_link(void **state)
{
    (void)state;
    set(&(struct wanted){.addresses = "192.0.2.5/32",
                         .gateways = "203.0.113.1",
                         .routes = "198.51.100.0/24 203.0.113.9",
                         .metric = 7});
    expect_routes(AF_INET, "none via 203.0.113.1 inside 7 onlink\n"
                           "198.51.100.0/24 via 203.0.113.9 inside 7 onlink\n");
}

/* A route to where another went is in its place; what others made, or goes elsewhere, stays. */
static void routes_of_earlier_requests_are_replaced(void **state)
{
    struct wanted wanted = {.addresses = "192.0.2.5/24",
                            .gateways = "192.0.2.1",
                            .routes = "198.51.100.0/24 192.0.2.9,10.0.0.0/8 192.0.2.8",
                            .metric = 7};

    (void)state;
    set(&wanted);
    wanted.gateways = "192.0.2.2";
    wanted.routes = "198.51.100.0/24 192.0.2.10";
    set(&wanted);
    expect_routes(AF_INET, "none via 192.0.2.2 inside 7\n"
                           "10.0.0.0/8 via 192.0.2.8 inside 7\n"
                           "198.51.100.0/24 via 192.0.2.10 inside 7\n");
    wanted.metric = 9;
    set(&wanted);
    expect_routes(AF_INET, "none via 192.0.2.2 inside 9\n"
                           "10.0.0.0/8 via 192.0.2.8 inside 7\n"
                           "198.51.100.0/24 via 192.0.2.10 inside 9\n");
    wanted.routes = "198.51.0.0/16 192.0.2.10";
    add_foreign("0.0.0.0/0", "192.0.2.30", "inside", 30, RTPROT_STATIC, RT_TABLE_MAIN);
    add_foreign("0.0.0.0/0", "192.0.2.31", "inside", 31, RTPROT_STATIC, RT_TABLE_MAIN);
    set(&wanted);
    expect_routes(AF_INET, "none via 192.0.2.2 inside 9\n"
                           "10.0.0.0/8 via 192.0.2.8 inside 7\n"
                           "198.51.0.0/16 via 192.0.2.10 inside 9\n"
                           "198.51.100.0/24 via 192.0.2.10 inside 9\n");
}

static void routes_of_others_stay(void **state)
{
    struct rtnl_link *named = rtnl_link_alloc(), *up = rtnl_link_alloc();

    (void)state;
    rtnl_link_set_ifindex(named, (int)if_nametoindex("outside"));
    rtnl_link_set_flags(up, IFF_UP);
    assert_int_equal(rtnl_link_change(routes, named, up, 0), 0);
    rtnl_link_put(named);
    rtnl_link_put(up);
    set(&(struct wanted){.addresses = "192.0.2.5/24"});
    add_foreign("0.0.0.0/0", "192.0.2.20", "outside", 7, RTPROT_STATIC, RT_TABLE_MAIN);
    add_foreign("0.0.0.0/0", "192.0.2.21", "inside", 8, RTPROT_BOOT, RT_TABLE_MAIN);
    add_foreign("0.0.0.0/0", "192.0.2.22", "inside", 7, RTPROT_STATIC, 99);
    set(&(struct wanted){.gateways = "192.0.2.1", .metric = 7});
    set(&(struct wanted){.gateways = "192.0.2.2", .metric = 7});
    expect_routes(AF_INET, "none via 192.0.2.22 inside 7 elsewhere onlink\n"
                           "none via 192.0.2.20 outside 7 onlink\n"
                           "none via 192.0.2.2 inside 7\n"
                           "none via 192.0.2.21 inside 8 boot onlink\n");
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    static const struct {
        struct wanted wanted;
        const char *text;
    } rows[] = {
        {{.addresses = "192.0.2.300/24"},
         "inside: address '192.0.2.300/24': expected an address/prefix"},
        {{.gateways = "192.0.2.1/24"}, "inside: gateway '192.0.2.1/24': expected an address"},
        {{.gateways = "nobody"}, "inside: gateway 'nobody': expected an address"},
        {{.routes = "198.51.100.0/24"},
         "inside: route '198.51.100.0/24': expected 'destination/prefix gateway'"},
        {{.dns = "nobody"}, "name server 'nobody': expected an address"},
        {{.addresses = "a,b"},
         "inside: address 'a': expected an address/prefix; address 'b': expected an "
         "address/prefix"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refused(&rows[i].wanted, EINVAL, rows[i].text);
}

static void rest_is_set_behind_what_is_wrong(void **state)
{
    (void)state;
    refused(&(struct wanted){.addresses = "x,192.0.2.5/24",
                             .gateways = "y,192.0.2.1",
                             .routes = "z,10.0.0.0/8 192.0.2.9",
                             .dns = "192.0.2.53",
                             .metric = 7},
            EINVAL,
            "inside: address 'x': expected an address/prefix; gateway 'y': expected an address; "
            "route 'z': expected 'destination/prefix gateway'");
    expect_addresses("inside", "192.0.2.5/24 brd 192.0.2.255\n");
    expect_routes(AF_INET, "none via 192.0.2.1 inside 7\n"
                           "10.0.0.0/8 via 192.0.2.9 inside 7\n");
    place_expect(RESOLV, "nameserver 192.0.2.53\n");
}

/* In its own words; the second failure has none of the first one's. */
static void what_the_kernel_refuses_is_told(void **state)
{
    (void)state;
    set(&(struct wanted){.addresses = "192.0.2.5/24"});
    refused(&(struct wanted){.gateways = "224.0.0.1"}, EINVAL,
            "inside: gateway 224.0.0.1: Invalid argument: Nexthop has invalid gateway");
    refused(&(struct wanted){.gateways = "224.0.0.1", .routes = "x", .metric = 7}, EINVAL,
            "inside: gateway 224.0.0.1: Invalid argument: Nexthop has invalid gateway; route 'x': "
            "expected 'destination/prefix gateway'");
}

static void link_is_up_without_an_mtu_that_is_wrong(void **state)
{
    (void)state;
    refused(&(struct wanted){.mtu = 1, .addresses = "192.0.2.5/24"}, EINVAL,
            "inside: up with MTU 1: Invalid argument: mtu less than device minimum");
    assert_true(flags_of("inside") & IFF_UP);
    assert_int_equal(mtu_of("inside"), 1500);
    expect_addresses("inside", "192.0.2.5/24 brd 192.0.2.255\n");
}

static void interface_is_waited_for(void **state)
{
    (void)state;
    memcpy(mac, "\2\0\0\0\0\x11", sizeof(mac));
    played.comes = true;
    set(&(struct wanted){.addresses = "192.0.2.5/24"});
    assert_int_equal(played.waits, 2);
    expect_addresses("inside", "192.0.2.5/24 brd 192.0.2.255\n");
}

static void interface_that_does_not_come_is_told(void **state)
{
    (void)state;
    memcpy(mac, "\2\0\0\0\0\x11", sizeof(mac));
    played.wait_error = -ETIMEDOUT;
    refused(&(struct wanted){.dns = "192.0.2.53"}, ETIMEDOUT,
            "no interface with the MAC 02:00:00:00:00:11 appeared within 30 ms; modules that "
            "cannot be loaded: e1000");
    assert_int_equal(access(RESOLV, F_OK), -1);
    played.waits = 0;
    played.wait_error = -ENOMEM;
    refused(&(struct wanted){0}, ENOMEM, "cannot wait for an interface: Cannot allocate memory");
}

static void interface_is_removed(void **state)
{
    const struct wanted removal = {.flags = REQUEST_NETWORK_REMOVE};
    struct wanted others = {.addresses = "192.0.2.6/24"};
    uint8_t inside[6];

    (void)state;
    set(&(struct wanted){
        .addresses = "192.0.2.5/24,192.0.2.7/24", .gateways = "192.0.2.1", .dns = "192.0.2.53"});
    memcpy(inside, mac, sizeof(mac));
    {
        struct ifreq request = {.ifr_name = "outside"};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
        memcpy(mac, request.ifr_hwaddr.sa_data, sizeof(mac));
        (void)close(fd);
    }
    set(&others);
    memcpy(mac, inside, sizeof(mac));
    set(&removal);
    expect_addresses("inside", "");
    expect_addresses("outside", "192.0.2.6/24 brd 192.0.2.255\n");
    expect_routes(AF_INET, "");
    assert_false(flags_of("inside") & IFF_UP);
    assert_true(flags_of("outside") & IFF_UP);
    place_expect(RESOLV, "");
    place_expect("/etc/resolv.conf", "");
    set(&removal);
    assert_int_equal(played.waits, 0);
}

static void name_servers_of_one_that_is_gone_are_forgotten(void **state)
{
    (void)state;
    place_folder("/run/guestlink");
    place_folder("/run/guestlink/dns");
    place_file("/run/guestlink/dns/0000000001-gone", "nameserver 192.0.2.1\n");
    place_file("/run/guestlink/dns/0000000002-inside", "nameserver 192.0.2.2\n");
    memcpy(mac, "\2\0\0\0\0\x11", sizeof(mac));
    set(&(struct wanted){.flags = REQUEST_NETWORK_REMOVE});
    assert_int_equal(played.waits, 0);
    place_expect(RESOLV, "nameserver 192.0.2.2\n");
}

static void name_servers_go_where_the_request_says(void **state)
{
    (void)state;
    place_folder("/etc");
    assert_int_equal(symlink("/run/theirs", "/etc/resolv.conf"), 0);
    place_file("/run/theirs", "theirs\n");
    refused(&(struct wanted){.dns = "192.0.2.53", .agent = true}, 0,
            "/etc/resolv.conf points to /run/theirs, which is not ours; not changing it; name "
            "servers are in " RESOLV);
    set(&(struct wanted){.dns = "192.0.2.53", .flags = REQUEST_NETWORK_NO_RESOLV});
    place_expect("/run/theirs", "theirs\n");
    set(&(struct wanted){.dns = "192.0.2.53"});
    place_expect("/run/theirs", "nameserver 192.0.2.53\n");
}

static void router_is_not_asked_where_that_is_refused(void **state)
{
    char before[8];

    (void)state;
    if (!has_ipv6)
        skip();
    {
        FILE *file = fopen(RA, "re");

        assert_non_null(file);
        assert_non_null(fgets(before, sizeof(before), file));
        (void)fclose(file);
    }
    set(&(struct wanted){0});
    place_expect(RA, before);
    set(&(struct wanted){.flags = REQUEST_NETWORK_REMOVE});
    assert_string_not_equal(before, "0\n");
    set(&(struct wanted){.flags = REQUEST_NETWORK_NO_RA});
    place_expect(RA, "0\n");
    assert_false(played.was_up);
    played.write_error = -ENOENT; /* without IPv6 */
    set(&(struct wanted){.flags = REQUEST_NETWORK_NO_RA});
    played.write_error = -EACCES;
    refused(&(struct wanted){.flags = REQUEST_NETWORK_NO_RA, .addresses = "192.0.2.5/24"}, EACCES,
            "inside: accept_ra: Permission denied");
    expect_addresses("inside", "192.0.2.5/24 brd 192.0.2.255\n");
}

static void without_a_socket_nothing_is_done(void **state)
{
    struct rlimit limit, none;
    struct report report;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    report = configure(&(struct wanted){0});
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(report.error, EINVAL);
    assert_int_equal(strncmp(report.text, "route socket: open: ", 20), 0);
    assert_false(flags_of("inside") & IFF_UP);
}

/* What does not fit is in PID 1's log. */
static void failures_that_are_cut_are_logged(void **state)
{
    struct report report = {0};
    struct network_job job = {.report = &report, .name = "inside"};
    const struct wire_text x = wire_text_of("x");

    (void)state;
    assert_int_equal(network_job_refuse(&job, "route", x, "y"), EINVAL);
    assert_string_equal(report.text, "inside: route 'x': expected y");
    memset(report.text, 'a', sizeof(report.text));
    report.text[sizeof(report.text) - IF_NAMESIZE - strlen("route 'x': expected y") - 1] = '\0';
    assert_int_equal(network_job_refuse(&job, "route", x, "y"), EINVAL);
    kmsg_expect("");
    memset(report.text, 'a', sizeof(report.text));
    report.text[sizeof(report.text) - IF_NAMESIZE - strlen("route 'x': expected y")] = '\0';
    assert_int_equal(network_job_refuse(&job, "route", x, "y"), EINVAL);
    kmsg_expect("4 network: inside: route 'x': expected y\n");
}

#define SIXTY "123456789012345678901234567890123456789012345678901234567890"

static void long_values_are_cut(void **state)
{
    struct report report = {0};
    struct network_job job = {.report = &report, .name = "inside"};

    (void)state;
    assert_int_equal(network_job_refuse(&job, "route", wire_text_of(SIXTY "1"), "y"), EINVAL);
    assert_string_equal(report.text, "inside: route '" SIXTY "': expected y");
    report = (struct report){0};
    job.kernel_errno = EPERM;
    assert_int_equal(network_job_fail(&job, 0, "route", wire_text_of(SIXTY "1")), EPERM);
    assert_string_equal(report.text, "inside: route " SIXTY ": Operation not permitted");
    report = (struct report){0};
    job.kernel_errno = 0;
    assert_int_equal(network_job_fail(&job, -NLE_NOMEM, "route", wire_text_of("x")), EINVAL);
    assert_string_equal(report.text, "inside: route x: Out of memory");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(interface_is_configured),
        PLACED(ipv6_is_configured),
        PLACED(broadcast_is_the_last_address),
        PLACED(host_that_names_no_metric_has_one_for_each_interface),
        PLACED(gateway_of_another_subnet_is_on_the_link),
        PLACED(routes_of_earlier_requests_are_replaced),
        PLACED(routes_of_others_stay),
        PLACED(what_is_wrong_is_refused_by_name),
        PLACED(rest_is_set_behind_what_is_wrong),
        PLACED(what_the_kernel_refuses_is_told),
        PLACED(link_is_up_without_an_mtu_that_is_wrong),
        PLACED(interface_is_waited_for),
        PLACED(interface_that_does_not_come_is_told),
        PLACED(interface_is_removed),
        PLACED(name_servers_of_one_that_is_gone_are_forgotten),
        PLACED(name_servers_go_where_the_request_says),
        PLACED(router_is_not_asked_where_that_is_refused),
        PLACED(without_a_socket_nothing_is_done),
        cmocka_unit_test(failures_that_are_cut_are_logged),
        cmocka_unit_test(long_values_are_cut),
    };
    bool has_pairs;

    has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
    routes = nl_socket_alloc();
    has_pairs = nl_connect(routes, NETLINK_ROUTE) == 0 && make_pair();
    finish(NULL);
    if (!has_pairs) {
        (void)printf("SKIP: this kernel has no veth\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
