/*
 * p9 share: a share served over 9P on its own vsock port.
 *
 * Every connection has its own diod. A guest reaches no share but those of its own VM: on
 * AF_VSOCK the peer's CID is checked, and that the VM's own VMM has it (device_host_vouches()); a
 * hybrid socket is the VM's anyway.
 */
#include "p9_share.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/limits.h"
#include "device/device_host.h"
#include "device/p9_server.h"
#include "guest/listener.h"
#include "report.h"
#include "services.h"
#include "shared_folder.h"
#include "vm_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

struct p9_share {
    struct vm *vm;
    const struct config_share *config;
    void (*ended)(void *userdata, const char *text);
    void *userdata;
    struct listener *listener;
    uint32_t port;
    struct shared_folder folder; /* that the newest server has */
    char *trouble;               /* see p9_share_trouble() */
    struct p9_server *servers[LIMITS_P9_CONNECTIONS];
    struct p9_slot {
        struct p9_share *p9;
        unsigned index;
    } slots[LIMITS_P9_CONNECTIONS];
};

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

const char *p9_share_trouble(const struct p9_share *p9)
{
    return p9 ? p9->trouble : NULL;
}

const char *p9_share_folder_trouble(const struct p9_share *p9)
{
    return p9 ? shared_folder_trouble(p9->config->path, &p9->folder) : NULL;
}

void p9_share_clear_trouble(struct p9_share *p9)
{
    if (!p9)
        return;
    free(p9->trouble);
    p9->trouble = NULL;
}

static void free_server(struct p9_share *p9, unsigned index)
{
    if (p9->servers[index])
        p9->vm->p9.running--;
    p9->servers[index] = p9_server_free(p9->servers[index]);
}

static void note_trouble(struct p9_share *p9, const char *text)
{
    p9_share_clear_trouble(p9);
    p9->trouble = strdup(text);
}

static void on_server_ended(void *userdata, const char *text)
{
    struct p9_slot *slot = userdata;
    struct p9_share *p9 = slot->p9;

    note_trouble(p9, text);
    free_server(p9, slot->index);
    p9->ended(p9->userdata, text);
}

/* What the VM may have at a time, and begin at once. */
static unsigned most_of(const struct vm *vm, unsigned *ret_per_s)
{
    *ret_per_s = LIMITS_P9_STARTS_PER_S + vm->p9.shares / LIMITS_P9_SHARES_PER_S;
    return vm->p9.shares + LIMITS_P9_SPARE;
}

/* @return the slot of a server that may be started, or LIMITS_P9_CONNECTIONS */
static unsigned take_slot(struct p9_share *p9)
{
    struct p9_bounds *bounds = &p9->vm->p9;
    unsigned i = 0, per_s, most = most_of(p9->vm, &per_s);

    while (i < LIMITS_P9_CONNECTIONS && p9->servers[i])
        i++;
    if (i < LIMITS_P9_CONNECTIONS &&
        (bounds->running >= most ||
         !rate_allow(&bounds->starts, clock_now_us(), per_s * 1000, most)))
        i = LIMITS_P9_CONNECTIONS;
    return i;
}

/* Once, and again after a while. */
static void tell_refused(struct p9_share *p9)
{
    struct p9_bounds *bounds = &p9->vm->p9;
    uint64_t now_us = clock_now_us();
    unsigned per_s, most = most_of(p9->vm, &per_s);
    char text[LIMITS_TEXT];

    bounds->refused++;
    if (bounds->told_us && now_us - bounds->told_us < LIMITS_P9_QUIET_MS * UINT64_C(1000))
        return;
    (void)snprintf(text, sizeof(text),
                   "closed %" PRIu64
                   " 9P connections of the guest: the limits are %u for a share, %u in all, %u "
                   "new ones a second; mounts keep working",
                   bounds->refused, LIMITS_P9_CONNECTIONS, most, per_s);
    report_device_failed(p9->vm, "share", p9->config->tag, "serve", EUSERS, text);
    bounds->refused = 0;
    bounds->told_us = now_us;
}

/* @return what the operator can do something about */
static const char *explain_start(int error)
{
    switch (error) {
    case ENOENT:
        return "diod is not installed on the host";
    case ELIBACC:
        return "guestlink-no-pipes.so, which diod needs, is not installed on the host";
    default:
        return "cannot start diod";
    }
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct p9_share *p9 = userdata;
    struct vm *vm = p9->vm;
    unsigned i;
    int r;

    if (peer->vsock && (peer->cid != vm->config->cid || peer->port >= LIMITS_PRIVILEGED_PORTS ||
                        !device_host_vouches(vm->host))) {
        (void)close(fd);
        return;
    }
    i = take_slot(p9);
    if (i == LIMITS_P9_CONNECTIONS) {
        (void)close(fd);
        tell_refused(p9);
        return;
    }
    p9->slots[i] = (struct p9_slot){.p9 = p9, .index = i};
    r = p9_server_new(vm->services->event, fd, p9->config->path, p9->config->read_only,
                      on_server_ended, &p9->slots[i], &p9->servers[i]);
    if (r == 0) {
        (void)shared_folder_look(p9->config->path, &p9->folder);
        vm->p9.running++;
        return;
    }
    note_trouble(p9, explain_start(-r));
    report_device_failed(vm, "share", p9->config->tag, "serve", -r, explain_start(-r));
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

int p9_share_new(struct vm *vm, const struct config_share *share,
                 void (*ended)(void *userdata, const char *text), void *userdata,
                 struct p9_share **ret_p9)
{
    struct p9_ports *ports = &vm->services->ports;
    struct p9_share *p9 = calloc(1, sizeof(*p9));
    int r = -ENOSPC;

    if (!p9)
        return -ENOMEM;
    p9->vm = vm;
    p9->config = share;
    p9->ended = ended;
    p9->userdata = userdata;
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
    vm->p9.shares++;
    *ret_p9 = p9;
    return 0;
}

struct p9_share *p9_share_free(struct p9_share *p9)
{
    if (!p9)
        return NULL;
    for (unsigned i = 0; i < LIMITS_P9_CONNECTIONS; i++)
        free_server(p9, i);
    return p9_share_release(p9);
}

struct p9_share *p9_share_release(struct p9_share *p9)
{
    if (!p9)
        return NULL;
    for (unsigned i = 0; i < LIMITS_P9_CONNECTIONS; i++) {
        p9->vm->p9.running -= p9->servers[i] != NULL;
        p9->servers[i] = p9_server_release(p9->servers[i]);
    }
    p9_share_clear_trouble(p9);
    p9->listener = listener_free(p9->listener);
    port_flip(&p9->vm->services->ports, p9->port);
    p9->vm->p9.shares--;
    free(p9);
    return NULL;
}
