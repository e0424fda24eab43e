/*
 * own filter: the packets of a cgroup to and from the host's own addresses and link-local ones, as
 * a program for the kernel (BPF_PROG_TYPE_CGROUP_SKB).
 *
 * What a host sends to any of its own addresses leaves and arrives by the loopback interface, also
 * what answers a broadcast. A link-local address is what a cloud tells its machines. Both are
 * dropped, but for port 53 of the name servers that are named, and for what clients at a published
 * port and the answers to them need: of TCP, what is to or from that port and begins no connection
 * from here; of UDP, what is between that port and one from OWN_FILTER_CLIENTS on.
 */
#ifndef GUESTLINK_RUN_OWN_FILTER_H
#define GUESTLINK_RUN_OWN_FILTER_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The resolver of glibc asks three. */
#define OWN_FILTER_SERVERS 8u
#define OWN_FILTER_PORTS   64u
#define OWN_FILTER_SIZE    512u

/* Linux' first port for clients that name none: those of services are below it. */
#define OWN_FILTER_CLIENTS 32768

struct own_filter {
    bool incoming;      /* where the packet comes from, else where it goes to */
    bool own_addresses; /* drop what the loopback interface carries; else link-local addresses alone
                         */
    size_t server_count;
    struct own_filter_server {
        uint16_t words[8]; /* as in a packet */
        size_t word_count; /* 2: IPv4; 8: IPv6 */
    } servers[OWN_FILTER_SERVERS];
    size_t port_count;
    struct own_filter_port {
        bool is_udp;
        uint16_t port;
    } ports[OWN_FILTER_PORTS]; /* of this cgroup's, published */
};

/* @return false: @p text is no address, or there are OWN_FILTER_SERVERS already */
bool own_filter_add_server(struct own_filter *filter, const char *text);

/* @param text  "8080/tcp,53/udp,". @return false: it is no such list, or there are too many */
bool own_filter_add_ports(struct own_filter *filter, const char *text);

/* @return the number of instructions, at most OWN_FILTER_SIZE */
size_t own_filter_build(const struct own_filter *filter, struct bpf_insn *ret_program);

#endif
