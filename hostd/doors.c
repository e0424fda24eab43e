/* doors: every socket that guests connect to, and which VM stands behind each. */
#include "doors.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "guest/listener.h"
#include "guest/virtio_port.h"
#include "vm/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* For so long nobody else is at a door where no QEMU was. */
#define OTHER_US UINT64_C(10000000)

struct door {
    struct door *next;
    struct doors *all;
    struct address address; /* its path is owned */
    struct listener *listener;
    struct vm *vm;            /* unix: whose it is */
    uint64_t other_us;        /* somebody who is no QEMU connected last */
    struct virtio_port *port; /* of the VM's QEMU: connected, and nothing was said */
    bool inherited;
    bool wanted;
};

struct doors {
    struct services *services;
    struct registry *registry;
    struct handshakes *handshakes;
    struct door *first;
};

struct doors *doors_new(struct services *services, struct registry *registry,
                        struct handshakes *handshakes)
{
    struct doors *doors = calloc(1, sizeof(*doors));

    if (doors)
        *doors =
            (struct doors){.services = services, .registry = registry, .handshakes = handshakes};
    return doors;
}

static void door_free(struct door *door)
{
    struct door **position = &door->all->first;

    while (*position != door)
        position = &(*position)->next;
    *position = door->next;
    door->listener = listener_free(door->listener);
    door->port = virtio_port_free(door->port);
    free((char *)door->address.path);
    free(door);
}

struct doors *doors_free(struct doors *doors)
{
    if (!doors)
        return NULL;
    while (doors->first)
        door_free(doors->first);
    free(doors);
    return NULL;
}

static void on_spoke(void *userdata, int fd)
{
    struct door *door = userdata;
    const struct peer peer = {.vsock = false};

    handshake_begin(door->all->handshakes, fd, &peer, door->vm);
}

/* QEMU connects a port once: an older connection of it is not in use any more. */
static void await_port(struct door *door, int fd)
{
    int r;

    door->port = virtio_port_free(door->port);
    r = virtio_port_new(door->all->services->event, fd, on_spoke, door, &door->port);
    if (r < 0)
        report_accept_paused(door->all->services, strerrordesc_np(-r));
}

/* Whose program it is takes a look at /proc, and a vsock device, which connects for each call of
 * its guest's, need not pay for that each time. */
static bool is_qemus(struct door *door, int fd)
{
    uint64_t now_us = clock_coarse_us();
    bool is_known = door->other_us != 0 && now_us - door->other_us < OTHER_US;

    if (!is_known && virtio_port_is_qemus(fd))
        return true;
    door->other_us = now_us;
    return false;
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct door *door = userdata;
    struct doors *all = door->all;

    if (!peer->vsock && door->vm && is_qemus(door, fd)) {
        await_port(door, fd);
        return;
    }
    handshake_begin(all->handshakes, fd, peer,
                    peer->vsock ? registry_find_cid(all->registry, peer->cid) : door->vm);
}

static void on_paused(void *userdata, int error)
{
    struct door *door = userdata;

    door->all->services->counters.accept_paused++;
    report_accept_paused(door->all->services, strerrordesc_np(error));
}

static const struct listener_events listener_events = {.accepted = on_accepted,
                                                       .paused = on_paused};

static struct door *find(struct doors *doors, const struct address *address)
{
    struct door *door = doors->first;

    for (; door; door = door->next) {
        if (door->address.family != address->family)
            continue;
        if (address->family == ADDRESS_UNIX
                ? strcmp(door->address.path, address->path) == 0
                : door->address.cid == address->cid && door->address.port == address->port)
            return door;
    }
    return NULL;
}

/* @return a door without a listener yet, on the list; NULL: no memory */
static struct door *door_new(struct doors *doors, const struct address *address)
{
    struct door *door = calloc(1, sizeof(*door));

    if (!door)
        return NULL;
    door->all = doors;
    door->address = *address;
    door->next = doors->first;
    doors->first = door;
    if (address->family == ADDRESS_UNIX) {
        door->address.path = strdup(address->path);
        if (!door->address.path) {
            door_free(door);
            return NULL;
        }
    }
    return door;
}

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program is listening there";
    case EEXIST:
        return "a file of that name exists and is not a socket";
    case ENOENT:
        return "the directory does not exist";
    case EAFNOSUPPORT:
        return "this kernel has no AF_VSOCK; load the module vhost_vsock";
    default:
        return strerrordesc_np(error);
    }
}

static int door_open(struct door *door)
{
    const struct address *address = &door->address;
    sd_event *event = door->all->services->event;
    int r;

    if (address->family == ADDRESS_UNIX)
        r = listener_new_unix(event, address->path, &listener_events, door, &door->listener);
    else
        r = listener_new_vsock(event, address->cid, address->port, &listener_events, door,
                               &door->listener);
    if (r < 0 && address->family == ADDRESS_UNIX)
        log_line(LOG_ERR, "cannot listen on unix:%s: %s", address->path, advice(-r));
    else if (r < 0)
        log_line(LOG_ERR, "cannot listen on vsock port %u: %s", address->port, advice(-r));
    return r;
}

/* Opens the door at @p address unless it is open. */
static int want(struct doors *doors, const struct address *address, struct vm *vm)
{
    struct door *door = find(doors, address);
    int r;

    if (!door) {
        door = door_new(doors, address);
        if (!door)
            return -ENOMEM;
        r = door_open(door);
        if (r < 0) {
            door_free(door);
            return r;
        }
    }
    door->wanted = true;
    door->vm = vm;
    return 0;
}

/* The VM behind a shared Unix socket, unless a VM names it as its own. */
static struct vm *only_vm(const struct doors *doors)
{
    return registry_count(doors->registry) == 1 ? registry_get(doors->registry, 0) : NULL;
}

static int want_shared(struct doors *doors)
{
    const struct config_strings *listen = &doors->services->config->listen;
    int result = 0;

    for (size_t i = 0; i < listen->count; i++) {
        struct address address = {0};
        int r = address_parse(listen->items[i], &address);

        if (r == 0)
            r = want(doors, &address, only_vm(doors));
        if (r < 0 && result == 0)
            result = r;
    }
    return result;
}

static int want_own(struct doors *doors)
{
    int result = 0;

    for (size_t i = 0; i < registry_count(doors->registry); i++) {
        struct vm *vm = registry_get(doors->registry, i);
        struct address address = {.family = ADDRESS_UNIX, .path = vm_config(vm)->socket};
        int r;

        if (!address.path)
            continue;
        r = want(doors, &address, vm);
        if (r < 0 && result == 0)
            result = r;
    }
    return result;
}

static void on_warning(void *userdata, const char *remark)
{
    (void)userdata;
    log_line(LOG_WARNING, "%s", remark);
}

/* Of VMs with neither their own door nor a shared one. */
static void tell_unreachable(const struct doors *doors)
{
    for (const struct door *door = doors->first; door; door = door->next) {
        if (door->address.family == ADDRESS_VSOCK || (door->inherited && door->vm))
            return;
    }
    config_tell_unreachable(doors->services->config, on_warning, NULL);
}

int doors_update(struct doors *doors)
{
    struct door *next;
    int shared, own;

    for (struct door *door = doors->first; door; door = door->next) {
        door->wanted = door->inherited;
        door->vm = door->inherited ? only_vm(doors) : NULL;
    }
    shared = want_shared(doors);
    own = want_own(doors);
    for (struct door *door = doors->first; door; door = next) {
        next = door->next;
        if (!door->wanted)
            door_free(door);
    }
    tell_unreachable(doors);
    return shared < 0 ? shared : own;
}

/* Where a socket that somebody else made listens. @return 0 or -errno */
static int read_address(int fd, struct sockaddr_un *buffer, struct address *ret_address)
{
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof(storage);
    struct sockaddr_vm vm = {0};

    if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0)
        return -errno;
    if (storage.ss_family == AF_VSOCK) {
        memcpy(&vm, &storage, sizeof(vm));
        *ret_address =
            (struct address){.family = ADDRESS_VSOCK, .cid = vm.svm_cid, .port = vm.svm_port};
        return 0;
    }
    if (storage.ss_family != AF_UNIX)
        return -EAFNOSUPPORT;
    memcpy(buffer, &storage, sizeof(*buffer));
    buffer->sun_path[sizeof(buffer->sun_path) - 1] = '\0';
    *ret_address = (struct address){.family = ADDRESS_UNIX, .path = buffer->sun_path};
    return 0;
}

int doors_consume_fd(struct doors *doors, int fd)
{
    struct sockaddr_un buffer = {0};
    struct address address = {0};
    struct door *door;
    int r;

    r = read_address(fd, &buffer, &address);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    door = door_new(doors, &address);
    if (!door) {
        (void)close(fd);
        return -ENOMEM;
    }
    door->inherited = true;
    r = listener_consume_fd(doors->services->event, fd, &listener_events, door, &door->listener);
    if (r < 0)
        door_free(door);
    return r;
}
