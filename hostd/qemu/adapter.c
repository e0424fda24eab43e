/*
 * qemu adapter: a virtio-net device in QEMU with its netdev.
 *
 * An adapter that is there is equal if its netdev and whether it bounces are: the netdev's id is a
 * hash of backend and MAC. One that is not is unplugged first, so that a guest that came back with
 * another token gets an adapter that fits.
 */
#include "adapter.h"

#include "base/text.h"
#include "config/publish.h"
#include "passt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A Unix socket at which somebody listens is connected at once; the rest is for a busy machine. */
#define CONNECT_TIMEOUT_US 2000000u

static void finish(struct qemu_task *task, int error, const char *what, const char *text)
{
    const char *words = "";
    char all[DEVICE_TEXT_SIZE];

    if (task->passt && task->passt->server && device_server_has_ended(task->passt->server))
        words = device_server_describe(task->passt->server);
    (void)snprintf(all, sizeof(all), "%s%s%s%s%s", what, what[0] ? ": " : "", text,
                   words[0] ? "; " : "", words);
    if (task->passt) {
        if (!task->passt_adopted)
            qemu_task_tell(task, "chardev-remove", json_texts("id", task->backend, NULL));
        task->cleanup(task);
    }
    qemu_task_finish(task, error, "adapter %s: %s", task->network->id, all);
}

static void fail(struct qemu_task *task, int error, const char *what, const char *text)
{
    if (task->device_sent) {
        if (error != EREMOTEIO)
            qemu_task_tell(task, "device_del", json_texts("id", task->device, NULL));
        qemu_task_tell(task, "netdev_del", json_texts("id", task->backend, NULL));
    }
    finish(task, error == EREMOTEIO ? EIO : error, what, text);
}

static void succeed(struct qemu_task *task, bool created)
{
    if (task->passt && !qemu_passt_succeed(task)) {
        fail(task, EIO, "", "passt exited while the device was being added");
        return;
    }
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = task->iommu_platform;
    qemu_task_finish(task, 0, "%s", task->remark);
}

static void on_device_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "cannot add the device to QEMU", reply->text);
        return;
    }
    succeed(task, true);
}

static void add_device(struct qemu_task *task)
{
    char mac[TEXT_MAC_SIZE];
    struct json_object *arguments;

    text_mac(task->network->mac, mac);
    arguments = json_texts("driver", "virtio-net-pci", "id", task->device, "netdev", task->backend,
                           "mac", mac, "bus", qemu_task_port(task), NULL);
    if (arguments && task->iommu_platform)
        json_add_flag(arguments, "iommu_platform", true);
    task->device_sent = true;
    qemu_task_next(task, "device_add", arguments, QMP_SHAPE_OBJECT, on_device_added);
}

static void on_not_connected(struct qemu_task *task)
{
    char text[LIMITS_PATH + 128];

    qemu_task_tell(task, "netdev_del", json_texts("id", task->backend, NULL));
    (void)snprintf(text, sizeof(text),
                   "nothing listens at %s (start that program before adding the adapter)",
                   task->network->socket_path);
    fail(task, ECONNREFUSED, "", text);
}

void qemu_adapter_on_stream(struct device_qemu *qemu, const char *netdev)
{
    for (struct qemu_task *task = qemu->tasks; task; task = task->next) {
        if (!task->network || task->network->backend != CONFIG_BACKEND_STREAM || task->unplugging ||
            strcmp(task->backend, netdev) != 0)
            continue;
        task->connected = true;
        if (task->timer) { /* else the answer to netdev_add is still to come */
            task->timer = sd_event_source_disable_unref(task->timer);
            add_device(task);
        }
        return;
    }
}

/* QEMU names the rule that it could not make, not why. */
static void explain_netdev(struct qemu_task *task, const struct qmp_reply *reply)
{
    char text[DEVICE_TEXT_SIZE], reason[512];
    uid_t uid = geteuid();
    gid_t gid;

    (void)qmp_owner(task->qemu->qmp, &uid, &gid);
    if (config_publish_probe(&task->network->publish, uid != 0, reason, sizeof(reason)) == 0)
        (void)snprintf(text, sizeof(text), "%s", reply->text);
    else
        (void)snprintf(text, sizeof(text), "%s (%s)", reason, reply->text);
    fail(task, reply->error, "cannot create the netdev in QEMU", text);
}

/* QEMU connects on the side, says so with an event, and says nothing if it cannot. */
static void on_netdev_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        explain_netdev(task, reply);
    else if (task->network->backend != CONFIG_BACKEND_STREAM || task->connected)
        add_device(task);
    else if (qemu_task_wait(task, CONNECT_TIMEOUT_US, on_not_connected) < 0)
        fail(task, ENOMEM, "", "out of memory");
}

static struct json_object *user_arguments(const struct qemu_task *task)
{
    const struct config_network *network = task->network;
    struct json_object *arguments = json_texts("type", "user", "id", task->backend, NULL);
    struct json_object *list = network->publish.count > 0 ? json_object_new_array() : NULL;

    for (size_t i = 0; i < network->publish.count && list; i++) {
        struct config_publish publish;
        char text[CONFIG_PUBLISH_HOSTFWD];

        if (config_publish_parse(network->publish.items[i], &publish) < 0)
            continue;
        config_publish_hostfwd(&publish, &network->address, text);
        (void)json_object_array_add(list, json_texts("str", text, NULL));
    }
    if (list && arguments)
        (void)json_object_object_add(arguments, "hostfwd", list);
    return arguments;
}

static struct json_object *netdev_arguments(const struct qemu_task *task)
{
    const struct config_network *network = task->network;

    switch (network->backend) {
    case CONFIG_BACKEND_TAP:
        /* The interface is the operator's, made and bridged by him: QEMU runs no scripts. */
        return json_texts("type", "tap", "id", task->backend, "ifname", network->interface,
                          "script", "no", "downscript", "no", NULL);
    case CONFIG_BACKEND_STREAM:
        return json_members("type", json_object_new_string("stream"), "id",
                            json_object_new_string(task->backend), "server",
                            json_object_new_boolean(false), "addr",
                            json_texts("type", "unix", "path", network->socket_path, NULL), NULL);
    case CONFIG_BACKEND_PASST:
        return qemu_passt_netdev(task);
    case CONFIG_BACKEND_USER:
    case CONFIG_BACKEND_NETWORK: /* libvirt's: the configuration has none of them here */
    case CONFIG_BACKEND_BRIDGE:
        break;
    }
    return user_arguments(task);
}

static void on_passt_ready(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        fail(task, reply->error, "", reply->text);
    else
        qemu_task_next(task, "netdev_add", netdev_arguments(task), QMP_SHAPE_OBJECT,
                       on_netdev_added);
}

static void on_port(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "", reply->text);
        return;
    }
    /* A daemon that died in between may have left it. */
    qemu_task_tell(task, "netdev_del", json_texts("id", task->backend, NULL));
    if (task->passt)
        qemu_passt_make(task, on_passt_ready);
    else
        qemu_task_next(task, "netdev_add", netdev_arguments(task), QMP_SHAPE_OBJECT,
                       on_netdev_added);
}

static void on_old_unplugged(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "a different adapter with that id exists", reply->text);
        return;
    }
    qemu_task_tell(task, "netdev_del", json_texts("id", task->old_backend, NULL));
    qemu_passt_let_go(task);
    qemu_passt_remove(task, task->old_backend);
    qemu_task_find_port(task, on_port);
}

static void on_existing_iommu(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "cannot query the device in QEMU", reply->text);
    } else if (qmp_reader_flag(reply->result) != task->iommu_platform) {
        qemu_task_unplug(task, on_old_unplugged);
    } else {
        succeed(task, false);
    }
}

static void on_existing_netdev(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "cannot query the device in QEMU", reply->text);
        return;
    }
    (void)snprintf(task->old_backend, sizeof(task->old_backend), "%s",
                   qmp_reader_text(reply->result));
    if (strcmp(task->old_backend, task->backend) != 0 ||
        (task->passt && qemu_passt_adopt(task) < 0)) {
        qemu_task_unplug(task, on_old_unplugged);
        return;
    }
    qemu_task_next_get(task, "iommu_platform", QMP_SHAPE_FLAG, on_existing_iommu);
}

static void on_peripherals(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "cannot list QEMU's devices", reply->text);
        return;
    }
    if (!qemu_task_device_is_listed(task, reply)) {
        qemu_task_find_port(task, on_port);
        return;
    }
    qemu_task_next_get(task, "netdev", QMP_SHAPE_TEXT, on_existing_netdev);
}

static void name_backend(struct qemu_task *task, const struct config_network *network)
{
    char hash[DEVICE_NAME_HASH_SIZE], mac[TEXT_MAC_SIZE];
    char ports[CONFIG_PUBLISH_MAX * CONFIG_PUBLISH_HOSTFWD] = "";
    size_t used = 0;

    text_mac(network->mac, mac);
    for (size_t i = 0; i < network->publish.count; i++)
        used += (size_t)snprintf(ports + used, CONFIG_PUBLISH_HOSTFWD, "%.*s,",
                                 (int)CONFIG_PUBLISH_HOSTFWD - 2, network->publish.items[i]);
    device_name_hash(
        hash, task->qemu->host.vm->id, network->id, mac, config_backend_names[network->backend],
        network->interface ? network->interface : "",
        network->socket_path ? network->socket_path : "", ports[0] ? ports : NULL, NULL);
    (void)snprintf(task->backend, sizeof(task->backend), "%s%s", QEMU_NAME_NET, hash);
}

int qemu_adapter_add(struct device_host *host, const struct device_adapter *adapter,
                     struct device_operation *operation)
{
    const struct config_network *network = adapter->network;
    struct qemu_task *task;
    int r = qemu_task_new(host, QEMU_NAME_NET, network->id, operation, &task);

    if (r != 0)
        return r < 0 ? r : 0;
    task->network = network;
    task->iommu_platform = adapter->iommu_platform;
    if (network->backend == CONFIG_BACKEND_PASST)
        r = qemu_passt_begin(task, adapter);
    else
        name_backend(task, network);
    if (r > 0) {
        char text[DEVICE_TEXT_SIZE];

        (void)snprintf(text, sizeof(text), "%s", task->text);
        (void)qemu_task_abandon(task);
        return device_operation_finish_later(operation, r, "adapter %s: %s", network->id, text);
    }
    if (r == 0)
        r = qemu_task_begin(task, "qom-list", json_texts("path", "/machine/peripheral", NULL),
                            QMP_SHAPE_PROPERTIES, on_peripherals);
    if (r < 0)
        (void)qemu_task_abandon(task);
    return r;
}

static void on_removed(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        qemu_task_finish(task, reply->error == EREMOTEIO ? EIO : reply->error, "adapter %s: %s",
                         task->name, reply->text);
        return;
    }
    if (task->backend[0]) {
        qemu_task_tell(task, "netdev_del", json_texts("id", task->backend, NULL));
        qemu_passt_remove(task, task->backend);
    }
    qemu_passt_remove_own(task, task->name);
    qemu_task_finish(task, 0, "%s", "");
}

static void on_netdev_to_remove(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error == EREMOTEIO) {
        qemu_passt_remove_own(task, task->name);
        qemu_task_finish(task, 0, "the device did not exist");
        return;
    }
    if (reply->error) {
        on_removed(task, reply);
        return;
    }
    (void)snprintf(task->backend, sizeof(task->backend), "%s", qmp_reader_text(reply->result));
    qemu_task_unplug(task, on_removed);
}

int qemu_adapter_remove(struct device_host *host, const char *id,
                        struct device_operation *operation)
{
    struct qemu_task *task;
    int r = qemu_task_new(host, QEMU_NAME_NET, id, operation, &task);

    if (r != 0)
        return r < 0 ? r : 0;
    r = qemu_task_begin_get(task, "netdev", QMP_SHAPE_TEXT, on_netdev_to_remove);
    if (r < 0)
        (void)qemu_task_abandon(task);
    return r;
}
