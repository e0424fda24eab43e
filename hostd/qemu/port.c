/*
 * qemu task, its part that finds a free PCIe root port. A port holds one device. QEMU lists the
 * devices of a bus in its object tree also before the guest has numbered its buses, when query-pci
 * shows nothing behind a bridge.
 */
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct qmp_reply no_reply = {.text = ""};

const char *qemu_task_port(const struct qemu_task *task)
{
    return task->ports[task->port];
}

/* Another task may have found the same port a moment ago and not have filled it yet. */
static bool is_reserved(const struct qemu_task *task, const char *port)
{
    for (const struct qemu_task *other = task->qemu->tasks; other; other = other->next)
        if (other != task && other->ports && other->ports[other->port] &&
            strcmp(other->ports[other->port], port) == 0)
            return true;
    return false;
}

static void on_bus(struct qemu_task *task, const struct qmp_reply *reply);

static void look_at_port(struct qemu_task *task)
{
    char path[QEMU_NAME_SIZE * 2];

    while (task->ports[task->port] && is_reserved(task, task->ports[task->port]))
        task->port++;
    if (!task->ports[task->port]) {
        const struct qmp_reply none = {
            .error = ENOSPC,
            .text = "no free PCIe root port: QEMU needs one for every new device; add -device "
                    "pcie-root-port,id=rp9,chassis=9 (each id and chassis once) to its command "
                    "line",
        };

        task->port_found(task, &none);
        return;
    }
    (void)snprintf(path, sizeof(path), "/machine/peripheral/%s/%s", task->ports[task->port],
                   task->ports[task->port]);
    qemu_task_next(task, "qom-list", json_texts("path", path, NULL), QMP_SHAPE_PROPERTIES, on_bus);
}

static void on_bus(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error == EREMOTEIO) { /* the port went away meanwhile */
        task->port++;
        look_at_port(task);
        return;
    }
    if (reply->error) {
        task->port_found(task, reply);
        return;
    }
    for (size_t i = 0; i < json_count(reply->result); i++) {
        if (strncmp(qemu_task_property(reply, i, "name"), "child[", 6) == 0) {
            task->port++;
            look_at_port(task);
            return;
        }
    }
    (void)snprintf(task->qemu->last_port, sizeof(task->qemu->last_port), "%s",
                   qemu_task_port(task));
    task->port_found(task, &no_reply);
}

static bool is_port(const struct qmp_reply *reply, size_t index)
{
    return strcmp(qemu_task_property(reply, index, "type"), "child<pcie-root-port>") == 0;
}

/* @return where the row begins: behind the port that was found last */
static size_t find_first(const struct qemu_task *task, const struct qmp_reply *reply)
{
    size_t count = json_count(reply->result);

    for (size_t i = 0; i < count; i++)
        if (is_port(reply, i) &&
            strcmp(qemu_task_property(reply, i, "name"), task->qemu->last_port) == 0)
            return i + 1;
    return 0;
}

static void on_peripherals(struct qemu_task *task, const struct qmp_reply *reply)
{
    size_t count = json_count(reply->result), ports = 0, begin;

    if (reply->error) {
        task->port_found(task, reply);
        return;
    }
    task->ports = calloc(count + 1, sizeof(*task->ports));
    if (!task->ports) {
        const struct qmp_reply failed = {.error = ENOMEM, .text = "out of memory"};

        task->port_found(task, &failed);
        return;
    }
    begin = find_first(task, reply);
    for (size_t i = 0; i < count; i++) {
        size_t at = (begin + i) % count;

        if (is_port(reply, at) &&
            (task->ports[ports] = strdup(qemu_task_property(reply, at, "name"))))
            ports++;
    }
    look_at_port(task);
}

void qemu_task_find_port(struct qemu_task *task, qemu_step_fn found)
{
    task->port_found = found;
    qemu_task_next_list(task, on_peripherals);
}
