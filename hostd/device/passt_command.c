/* passt command: which program serves an adapter of the backend "passt", and with what words. */
#include "passt_command.h"

#include "base/launch.h"
#include "base/program.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who is nobody by number on every distribution, and by which name differs. */
#define NOBODY 65534u

#define GUARD "guestlink-no-loopback"

struct words {
    const char **argv;
    size_t count;
};

static void add(struct words *words, const char *option, const char *value)
{
    words->argv[words->count++] = option;
    if (value)
        words->argv[words->count++] = value;
}

/* The first of a family. */
static const char *find(const struct config_strings *texts, bool is_v6)
{
    for (size_t i = 0; i < texts->count; i++)
        if ((strchr(texts->items[i], ':') != NULL) == is_v6)
            return texts->items[i];
    return NULL;
}

/* It would have the host's address, and answer the guest as another with it. */
static void add_family(struct words *words, const struct config_network *network, bool is_v6,
                       struct passt_command *command)
{
    const char *address = find(&network->address, is_v6);
    const char *gateway = find(&network->gateway, is_v6);
    char *buffer = command->addresses[is_v6], *slash;

    if (address) {
        (void)snprintf(buffer, sizeof(command->addresses[0]), "%s", address);
        slash = strchr(buffer, '/');
        if (slash)
            *slash = '\0';
        add(words, "--address", buffer);
        if (slash && !is_v6) {
            (void)snprintf(command->prefix, sizeof(command->prefix), "%.3s", slash + 1);
            add(words, "--netmask", command->prefix);
        }
    }
    if (gateway)
        add(words, "--gateway", gateway);
    /* What the operator did not configure passt would announce by itself. */
    if (!address && network->address.count > 0)
        add(words, is_v6 ? "--ipv4-only" : "--ipv6-only", NULL);
}

static void add_user(struct words *words, struct passt_command *command)
{
    const struct passwd *user = getpwnam(PASST_COMMAND_USER);

    if (geteuid() != 0)
        return;
    (void)snprintf(command->user, sizeof(command->user), "%u:%u", user ? user->pw_uid : NOBODY,
                   user ? user->pw_gid : NOBODY);
    add(words, "--runas", command->user);
}

/* Without its own unit, it shares the daemon's cgroup, or a person's. */
static int add_guard(const struct config_network *network, struct passt_command *command)
{
    struct words words = {.argv = command->guard};

    command->guard[0] = NULL;
    if (network->host_loopback || !launch_is_wanted())
        return 0;
    if (!program_find_own(GUARD, command->guard_program))
        return -ENOPKG;
    add(&words, command->guard_program, NULL);
    if (config_publish_name_ports(&network->publish, command->ports, sizeof(command->ports)) > 0)
        add(&words, "--publish", command->ports);
    for (size_t i = 0; i < network->dns.count && words.count < PASST_COMMAND_GUARD - 2; i++)
        add(&words, network->dns.items[i], NULL);
    add(&words, "--", NULL);
    command->guard[words.count] = NULL;
    return 0;
}

/* Of one protocol. */
static void add_ports(struct words *words, const struct config_network *network, bool udp,
                      struct passt_command *command)
{
    const char *option = udp ? "--udp-ports" : "--tcp-ports";
    bool none = true;

    for (size_t i = 0; i < network->publish.count; i++) {
        struct config_publish publish;

        if (config_publish_parse(network->publish.items[i], &publish) < 0 || publish.is_udp != udp)
            continue;
        (void)snprintf(command->forwards[i], sizeof(command->forwards[i]), "%s/%u:%u",
                       publish.address, publish.port, publish.guest_port);
        add(words, option, command->forwards[i]);
        none = false;
    }
    if (none)
        add(words, option, "none");
}

int passt_command_make(const char *program, const struct config_network *network,
                       struct passt_command *ret_command)
{
    struct words words = {.argv = ret_command->argv};
    int r = program_find_passt(program, ret_command->program);

    if (r < 0)
        return r;
    add(&words, ret_command->program, NULL);
    add(&words, "--vhost-user", NULL);
    add(&words, "--foreground", NULL);
    add(&words, "--one-off", NULL);
    add(&words, "--quiet", NULL);
    add(&words, "--fd", "3");
    add_user(&words, ret_command);
    add_ports(&words, network, false, ret_command);
    add_ports(&words, network, true, ret_command);
    if (!network->host_loopback) {
        add(&words, "--map-host-loopback", "none");
        add(&words, "--map-guest-addr", "none");
    }
    if (network->mtu > 0) {
        (void)snprintf(ret_command->mtu, sizeof(ret_command->mtu), "%u", network->mtu);
        add(&words, "--mtu", ret_command->mtu);
    }
    add_family(&words, network, false, ret_command);
    add_family(&words, network, true, ret_command);
    ret_command->argv[words.count] = NULL;
    return add_guard(network, ret_command);
}
