/*
 * p9 share: a share served over 9P on a vsock port of its own.
 *
 * Every connection has a diod of its own. A guest reaches no share but those of its own VM: on
 * AF_VSOCK the peer's CID is checked, and that the VM's own VMM has it (device_host_vouches()); a
 * hybrid socket is the VM's anyway.
 */
#include "p9_share.h"

#include "base/address.h"
#include "base/limits.h"
#include "device/p9_server.h"
#include "guest/listener.h"
#include "report.h"
#include "vm_life.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PORTS (LIMITS_P9_PORT_LAST - LIMITS_P9_PORT_FIRST + 1u)

struct p9_ports {
    uint8_t taken[(PORTS + 7u) / 8u];
};

struct p9_share {
    struct vm *vm;
    const struct config_share *config;
    struct listener *listener;
    uint32_t port;
    struct p9_server *servers[LIMITS_P9_CONNECTIONS];
    struct p9_slot {
        struct p9_share *p9;
        unsigned index;
    } slots[LIMITS_P9_CONNECTIONS];
};

struct p9_ports *p9_ports_new(void)
{
    return calloc(1, sizeof(struct p9_ports));
}

struct p9_ports *p9_ports_free(struct p9_ports *ports)
{
    free(ports);
    return NULL;
}

static bool port_is_taken(const struct p9_ports *ports, uint32_t port)
{
    uint32_t i = port - LIMITS_P9_PORT_FIRST;

    return ports->taken[i / 8] & (1u << i % 8);
}

static void port_flip(struct p9_ports *ports, uint32_t port)
{
    uint32_t i = port - LIMITS_P9_PORT_FIRST;

    ports->taken[i / 8] ^= (uint8_t)(1u << i % 8);
}

uint32_t p9_share_port(const struct p9_share *p9)
{
    return p9 ? p9->port : 0;
}

static void on_server_ended(void *userdata, const char *text)
{
    struct p9_slot *slot = userdata;
    struct p9_share *p9 = slot->p9;

    report_line(p9->vm, ALLOWANCE_REFUSAL, LOG_NOTICE,
                "share %s: what serves a 9P connection ended: %s", p9->config->tag, text);
    p9->servers[slot->index] = p9_server_free(p9->servers[slot->index]);
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct p9_share *p9 = userdata;
    struct vm *vm = p9->vm;
    unsigned i = 0;
    int r;

    while (i < LIMITS_P9_CONNECTIONS && p9->servers[i])
        i++;
    if ((peer->vsock && (peer->cid != vm->config->cid || peer->port >= LIMITS_PRIVILEGED_PORTS ||
                         !device_host_vouches(vm->host))) ||
        i == LIMITS_P9_CONNECTIONS) {
        (void)close(fd);
        return;
    }
    p9->slots[i] = (struct p9_slot){.p9 = p9, .index = i};
    r = p9_server_new(vm->services->event, fd, p9->config->path, p9->config->read_only,
                      on_server_ended, &p9->slots[i], &p9->servers[i]);
    if (r < 0)
        report_device_failed(vm, "share", p9->config->tag, "serve", -r,
                             r == -ENOENT ? "diod is not installed on the host"
                                          : "diod could not be started");
}

static void on_paused(void *userdata, int error)
{
    (void)userdata;
    (void)error;
}

static const struct listener_events listener_events = {.accepted = on_accepted,
                                                       .paused = on_paused};

static int listen_at(struct p9_share *p9, uint32_t port)
{
    const struct config_vm *config = p9->vm->config;
    struct sockaddr_un address;
    uint32_t own_port;
    int base, n;

    if (!config->socket)
        return listener_new_vsock(p9->vm->services->event, VMADDR_CID_ANY, port, &listener_events,
                                  p9, &p9->listener);
    if (address_hybrid_port(config->socket, &own_port, &base) < 0)
        return -EPROTONOSUPPORT;
    n = snprintf(address.sun_path, sizeof(address.sun_path), "%.*s_%u", base, config->socket, port);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    return listener_new_unix(p9->vm->services->event, address.sun_path, &listener_events, p9,
                             &p9->listener);
}

int p9_share_new(struct vm *vm, const struct config_share *share, struct p9_share **ret_p9)
{
    struct p9_ports *ports = vm->services->ports;
    struct p9_share *p9 = calloc(1, sizeof(*p9));
    int r = -ENOSPC;

    if (!p9)
        return -ENOMEM;
    p9->vm = vm;
    p9->config = share;
    for (uint32_t port = LIMITS_P9_PORT_FIRST; port <= LIMITS_P9_PORT_LAST; port++) {
        if (port_is_taken(ports, port))
            continue;
        r = listen_at(p9, port);
        if (r != -EADDRINUSE) {
            p9->port = port;
            break;
        }
    }
    if (r < 0) {
        free(p9);
        return r;
    }
    port_flip(ports, p9->port);
    *ret_p9 = p9;
    return 0;
}

struct p9_share *p9_share_free(struct p9_share *p9)
{
    if (!p9)
        return NULL;
    for (unsigned i = 0; i < LIMITS_P9_CONNECTIONS; i++)
        p9->servers[i] = p9_server_free(p9->servers[i]);
    return p9_share_release(p9);
}

struct p9_share *p9_share_release(struct p9_share *p9)
{
    if (!p9)
        return NULL;
    for (unsigned i = 0; i < LIMITS_P9_CONNECTIONS; i++)
        p9->servers[i] = p9_server_release(p9->servers[i]);
    p9->listener = listener_free(p9->listener);
    port_flip(p9->vm->services->ports, p9->port);
    free(p9);
    return NULL;
}
