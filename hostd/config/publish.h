/*
 * config publish: a port of the host's at which connections reach a port of the guest's.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_PUBLISH_H
#define GUESTLINK_HOSTD_CONFIG_PUBLISH_H

#include "config.h"

#include <arpa/inet.h>

/* Of an adapter, and of a VM: what keeps its QEMU from the host's own addresses knows as many
 * (run/own_filter.h). */
#define CONFIG_PUBLISH_MAX    32u
#define CONFIG_PUBLISH_VM_MAX 64u

/* What QEMU calls one: two addresses, two ports. */
#define CONFIG_PUBLISH_HOSTFWD 64u

struct config_publish {
    bool is_udp, is_ipv6;
    char address[INET6_ADDRSTRLEN]; /* of the host, as the kernel writes it, without brackets */
    uint16_t port, guest_port;      /* never 0 */
};

/*
 * Reads "[ADDRESS:]PORT:GUESTPORT[/tcp|/udp]": an IPv6 address in brackets, 127.0.0.1 if there is
 * none, TCP if nothing is said.
 *
 * @return 0, or -EINVAL
 */
int config_publish_parse(const char *text, struct config_publish *ret_publish);

/* NULL if @p text is one, else what was expected. */
const char *config_publish_check(const char *text);

/* It is listened on at every address of the family. */
bool config_publish_is_any(const struct config_publish *publish);

/*
 * "8080/tcp,53/udp,": each port of @p list and its protocol, as guestlink-no-loopback takes them;
 * none that would be cut.
 *
 * @return bytes, without the NUL
 */
size_t config_publish_name_ports(const struct config_strings *list, char *text, size_t capacity);

/*
 * QEMU's words for it: "tcp:127.0.0.1:8080-10.0.2.15:80".
 *
 * @param addresses  of the adapter: the first of IPv4 is the guest's; none: QEMU's first one
 */
void config_publish_hostfwd(const struct config_publish *publish,
                            const struct config_strings *addresses,
                            char text[CONFIG_PUBLISH_HOSTFWD]);

/*
 * Whether all of them can be listened on now.
 *
 * @param list      texts that config_publish_parse() takes
 * @param any_user  as of local_port_probe()
 * @param text      of the first that cannot: which, why and what to do
 * @return 0, or a positive errno: see @p text
 */
int config_publish_probe(const struct config_strings *list, bool any_user, char *text,
                         size_t capacity);

#endif
