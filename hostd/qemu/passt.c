/* qemu passt: what only an adapter of the backend "passt" needs. */
#include "passt.h"

#include "config/publish.h"
#include "device/passt_server.h"
#include "discard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFF      "\"aperture\" is \"off\" in the VM's configuration"
#define NO_TOKEN "the VM has no token"

#define PORT_WAIT_US UINT64_C(20000)
#define PORT_WAITS   50u

/* From its start until a passt has read its options, and listens. */
#define SETTLE_US UINT64_C(300000)

void qemu_passt_go_on(struct qemu_task *task, int error, const char *text)
{
    const struct qmp_reply reply = {.error = error, .text = text};

    task->passt_ready(task, &reply);
}

/* ---- its life in the list */

struct qemu_passt *qemu_passt_free(struct qemu_passt *passt, bool stop)
{
    struct qemu_passt **position;

    if (!passt)
        return NULL;
    position = &passt->qemu->passts;
    while (*position != passt)
        position = &(*position)->next;
    *position = passt->next;
    if (stop)
        device_server_stop(passt->server);
    else
        device_server_free(passt->server);
    free(passt->id);
    free(passt);
    return NULL;
}

static struct qemu_passt *find(const struct device_qemu *qemu, const char *id)
{
    struct qemu_passt *passt = qemu->passts;

    while (passt && strcmp(passt->id, id) != 0)
        passt = passt->next;
    return passt;
}

static void drop(struct qemu_task *task)
{
    task->passt = qemu_passt_free(task->passt, !task->passt_adopted);
}

static int add(struct qemu_task *task, const char *id)
{
    struct device_qemu *qemu = task->qemu;
    struct qemu_passt *passt = calloc(1, sizeof(*passt));

    if (!passt || !(passt->id = strdup(id))) {
        free(passt);
        return -ENOMEM;
    }
    (void)qemu_passt_free(find(qemu, id), false); /* looked at as by a new daemon */
    passt->qemu = qemu;
    passt->task = task;
    passt->next = qemu->passts;
    qemu->passts = passt;
    task->passt = passt;
    task->cleanup = drop;
    return 0;
}

int qemu_passt_begin(struct qemu_task *task, const struct device_adapter *adapter)
{
    char name[PASST_SERVER_NAME_SIZE], text[PASST_SERVER_TEXT_SIZE];
    int r = passt_server_name(task->qemu->host.vm, adapter, name, text);

    if (r > 0) {
        (void)snprintf(task->text, sizeof(task->text), "%s", text);
        return r;
    }
    r = add(task, adapter->network->id);
    if (r < 0)
        return r;
    (void)snprintf(task->options, sizeof(task->options), "%s", adapter->options);
    task->aperture = adapter->aperture;
    /* Without an aperture passt could not have the guest bounce. */
    task->iommu_platform = adapter->iommu_platform && adapter->aperture != CONFIG_APERTURE_OFF;
    (void)snprintf(task->backend, sizeof(task->backend), "%s%s", QEMU_NAME_NET,
                   name + sizeof(DEVICE_SERVER_PASST) - 1);
    memcpy(task->passt->name, name, sizeof(name));
    return 0;
}

/* ---- its passt */

static bool is_refused(const struct qemu_passt *passt, struct aperture_status *ret_status)
{
    return device_server_get_aperture(passt->server, ret_status) == 0 &&
           ret_status->state == APERTURE_REFUSED;
}

static void on_ended(void *userdata, const char *text)
{
    struct qemu_passt *passt = userdata;
    const struct device_host *host = &passt->qemu->host;
    struct aperture_status status;

    if (passt->task && passt->task->awaits_ready)
        qemu_passt_go_on(passt->task, EIO, "passt cannot serve the adapter");
    else if (!passt->task && is_refused(passt, &status))
        host->events.adapter_refused(host->userdata, passt->id, status.reason);
    else if (!passt->task)
        host->events.adapter_lost(host->userdata, passt->id, false, text);
    /* Else QEMU is about to find out, and the step under way fails. */
}

static void on_aperture(void *userdata)
{
    const struct qemu_passt *passt = userdata;
    const struct device_host *host = &passt->qemu->host;

    /* The end of the task, or of passt, is what tells otherwise. */
    if (!passt->task && !device_server_has_ended(passt->server))
        host->events.adapter_aperture_changed(host->userdata, passt->id);
}

static void on_restored(void *userdata, const char *text)
{
    const struct qemu_passt *passt = userdata;
    const struct device_host *host = &passt->qemu->host;

    char all[DEVICE_SERVER_TEXT_SIZE + 64];

    (void)snprintf(all, sizeof(all), "started another passt, the guest lost packets: %s", text);
    host->events.adapter_lost(host->userdata, passt->id, true, all);
}

static void on_ready(void *userdata, const char *remark);

static const struct device_server_events events = {
    .ready = on_ready,
    .ended = on_ended,
    .aperture = on_aperture,
    .restored = on_restored,
};

int qemu_passt_adopt(struct qemu_task *task)
{
    struct qemu_passt *passt = task->passt;
    int r = device_server_adopt(task->qemu->host.event, task->qemu->directory, passt->name, &events,
                                passt, &passt->server);

    task->passt_adopted = r == 0;
    return r;
}

bool qemu_passt_succeed(struct qemu_task *task)
{
    if (device_server_has_ended(task->passt->server))
        return false;
    if (!task->iommu_platform)
        task->passt->obstacle = task->aperture == CONFIG_APERTURE_OFF ? OFF : NO_TOKEN;
    task->passt->task = NULL;
    task->passt = NULL;
    task->cleanup = NULL;
    return true;
}

static void on_chardev_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    qemu_passt_go_on(task, reply->error, reply->text);
}

static void add_chardev(struct qemu_task *task)
{
    const struct qemu_passt *passt = task->passt;
    struct json_object *path = json_texts("path", device_server_socket(passt->server), NULL);
    struct json_object *address =
        json_members("type", json_object_new_string("unix"), "data", path, NULL);
    struct json_object *data =
        json_members("addr", address, "server", json_object_new_boolean(false), NULL);
    struct json_object *backend =
        json_members("type", json_object_new_string("socket"), "data", data, NULL);

    task->awaits_ready = false;
    qemu_task_next(
        task, "chardev-add",
        json_members("id", json_object_new_string(task->backend), "backend", backend, NULL),
        QMP_SHAPE_OBJECT, on_chardev_added);
}

/* One that was replaced may be about to end: its ports become free. */
static bool waits_for_ports(struct qemu_task *task)
{
    char text[512];
    int r;

    if (task->network->publish.count == 0)
        return false;
    if (task->port_waits == 0) /* a daemon that died in between may have left it */
        device_server_sweep(task->qemu->host.event, task->qemu->directory, task->passt->name);
    r = config_publish_probe(&task->network->publish, true, text, sizeof(text));
    if (r == 0)
        return false;
    if (r == EADDRINUSE && task->port_waits < PORT_WAITS &&
        qemu_task_wait(task, PORT_WAIT_US, qemu_passt_start) >= 0)
        task->port_waits++;
    else
        qemu_passt_go_on(task, r, text);
    return true;
}

/* It listens before it serves, and ends if it cannot; QEMU would wait for another one, and answer
 * nobody meanwhile. */
static void on_ready(void *userdata, const char *remark)
{
    const struct qemu_passt *passt = userdata;
    struct qemu_task *task = passt->task;

    (void)snprintf(task->remark, sizeof(task->remark), "%s", remark);
    if (task->network->publish.count == 0 || qemu_task_wait(task, SETTLE_US, add_chardev) < 0)
        add_chardev(task);
}

void qemu_passt_start(struct qemu_task *task)
{
    struct share_server_place place = {
        .directory = task->qemu->directory,
        .parent = task->qemu->old_directory,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    const struct device_adapter adapter = {
        .network = task->network, .options = task->options, .aperture = task->aperture};
    char text[PASST_SERVER_TEXT_SIZE];
    int error;

    if (waits_for_ports(task))
        return;
    /* passt's socket gets the owner of the QMP socket: QEMU's user. */
    (void)qmp_owner(task->qemu->qmp, &place.uid, &place.gid);
    task->awaits_ready = true;
    error =
        passt_server_start(task->qemu->host.event, task->qemu->host.vm, &place, task->passt->name,
                           &adapter, &events, task->passt, &task->passt->server, text);
    if (error) {
        task->awaits_ready = false;
        qemu_passt_go_on(task, error, text);
    }
}

int qemu_passt_get_aperture(const struct device_host *host, const char *id,
                            struct aperture_status *ret_status)
{
    const struct qemu_passt *passt = find((const struct device_qemu *)host, id);

    if (!passt || passt->task || !passt->server)
        return -ENOENT;
    if (!passt->obstacle) {
        int r = device_server_get_aperture(passt->server, ret_status);

        if (r == 0)
            qemu_discard_remark(passt->discards, ret_status);
        return r;
    }
    *ret_status = (struct aperture_status){.state = APERTURE_NONE};
    (void)snprintf(ret_status->reason, sizeof(ret_status->reason), "%s", passt->obstacle);
    return 0;
}

int qemu_passt_confirm_aperture(const struct device_host *host, const char *id, uint64_t number)
{
    const struct qemu_passt *passt = find((const struct device_qemu *)host, id);

    return passt && passt->server ? device_server_confirm_aperture(passt->server, number) : -ENOENT;
}

struct json_object *qemu_passt_netdev(const struct qemu_task *task)
{
    return json_texts("type", "vhost-user", "id", task->backend, "chardev", task->backend, NULL);
}

/* ---- its end */

/* @return false: it is not one of ours */
static bool name_of(const char *netdev, char name[PASST_SERVER_NAME_SIZE])
{
    const char *hash = netdev + sizeof(QEMU_NAME_NET) - 1;

    if (strncmp(netdev, QEMU_NAME_NET, sizeof(QEMU_NAME_NET) - 1) != 0 ||
        !device_name_is_hash(hash))
        return false;
    (void)snprintf(name, PASST_SERVER_NAME_SIZE, "%s%s", DEVICE_SERVER_PASST, hash);
    return true;
}

void qemu_passt_remove(struct qemu_task *task, const char *netdev)
{
    char name[PASST_SERVER_NAME_SIZE];
    struct qemu_passt *passt, *next;

    if (!name_of(netdev, name))
        return;
    qemu_task_tell(task, "chardev-remove", json_texts("id", netdev, NULL));
    for (passt = task->qemu->passts; passt; passt = next) {
        next = passt->next;
        if (!passt->task && strcmp(passt->name, name) == 0)
            (void)qemu_passt_free(passt, true);
    }
    device_server_sweep(task->qemu->host.event, task->qemu->directory, name);
}

void qemu_passt_remove_own(struct qemu_task *task, const char *id)
{
    const struct qemu_passt *passt = find(task->qemu, id);
    char netdev[QEMU_NAME_SIZE];

    if (!passt || passt->task)
        return;
    (void)snprintf(netdev, sizeof(netdev), "%s%s", QEMU_NAME_NET,
                   passt->name + sizeof(DEVICE_SERVER_PASST) - 1);
    qemu_task_tell(task, "netdev_del", json_texts("id", netdev, NULL));
    qemu_passt_remove(task, netdev);
}

void qemu_passt_let_go(struct qemu_task *task)
{
    if (!task->passt)
        return;
    task->passt->server = device_server_free(task->passt->server);
    task->passt_adopted = false;
}

void qemu_passts_clean_up(struct device_qemu *qemu)
{
    struct json_object *remembered = json_member(qemu->memory, "passts");
    struct qemu_passt *passt = qemu->passts, *next;

    for (; passt; passt = next) {
        next = passt->next;
        if (!passt->task) /* else its task ends it */
            (void)qemu_passt_free(passt, true);
    }
    if (!qmp_reader_is_object(remembered))
        return;
    json_object_object_foreach(remembered, id, value)
    {
        const char *name = qmp_reader_text(value);

        (void)id;
        if (name && passt_server_is_name(name))
            device_server_sweep(qemu->host.event, qemu->directory, name);
    }
}

struct json_object *qemu_passts_remember(const struct device_qemu *qemu)
{
    struct json_object *passts = json_object_new_object();

    for (const struct qemu_passt *passt = qemu->passts; passt && passts; passt = passt->next)
        (void)json_object_object_add(passts, passt->id, json_object_new_string(passt->name));
    return passts;
}
