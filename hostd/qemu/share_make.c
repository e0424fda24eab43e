/*
 * qemu share, its making: a free port; virtiofsd; chardev; device.
 */
#include "share.h"

#include "refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One request queue: more makes a guest's requests overtake each other and gains nothing here. */
#define REQUEST_QUEUES 1

/*
 * The request queue of a device whose guest bounces. A pool's limits are a kernel's (swiotlb.h: one
 * mapping is at most IO_TLB_SEGSIZE * IO_TLB_SIZE, 256 KiB). What does not fit fails there: Linux
 * 6.1 tries again, 6.12 and 7.2 give ENOMEM to the program that reads or writes. virtio_fs makes no
 * request of more pages than the queue has descriptors, less four: 60 are 240 KiB, which fit where
 * they lie side by side, too. 64 such requests under way are 15 MiB of the pool. With indirect
 * descriptors: without them one large request fills the queue, and what 7.2 puts aside because of
 * that is now and then never sent (a program hangs in request_wait_answer()).
 */
#define BOUNCED_QUEUE_SIZE 64

#define CHARDEV_WAIT_US UINT64_C(20000)

#define IOMMU_REQUIRED                                                                             \
    "the aperture is required, but QEMU cannot make the guest use the pool for the device "        \
    "(update QEMU, or set \"aperture\": \"auto\")"

static void on_device_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_share_fail(task, reply->error, "cannot add the device to QEMU", reply->text);
    else
        qemu_share_succeed(task, true, false);
}

static void add_device(struct qemu_task *task, bool iommu_platform, qemu_step_fn step)
{
    struct json_object *arguments = json_members(
        "driver", json_object_new_string("vhost-user-fs-pci"), "id",
        json_object_new_string(task->device), "chardev", json_object_new_string(task->backend),
        "tag", json_object_new_string(task->share->tag), "bus",
        json_object_new_string(qemu_task_port(task)), "num-request-queues",
        json_object_new_int(REQUEST_QUEUES), NULL);

    if (arguments && iommu_platform) {
        json_add_flag(arguments, "iommu_platform", true);
        json_add_number(arguments, "queue-size", BOUNCED_QUEUE_SIZE);
    }
    task->device_sent = true;
    qemu_task_next(task, "device_add", arguments, QMP_SHAPE_OBJECT, step);
}

static void start_virtiofsd(struct qemu_task *task);

static void on_refused_chardev_removed(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        qemu_share_fail(task, reply->error, "cannot remove virtiofsd's chardev from QEMU",
                        reply->text);
        return;
    }
    task->share->virtiofsd = device_server_stop(task->share->virtiofsd);
    start_virtiofsd(task);
}

/* A virtiofsd serves one connection, and one is set up once: QEMU that refused the device had begun
 * to, and a second device on the same chardev waits forever (QEMU 10 with the Rust virtiofsd) for
 * what was answered to the first. Hence both are recreated, and QEMU is not asked again. */
static void on_device_added_with_iommu(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (qemu_refusal_is(QEMU_REFUSAL_IOMMU, reply) && task->aperture == CONFIG_APERTURE_REQUIRE) {
        qemu_share_fail(task, EREMOTEIO, IOMMU_REQUIRED, reply->text);
    } else if (qemu_refusal_is(QEMU_REFUSAL_IOMMU, reply)) {
        task->qemu->no_iommu_shares = true;
        task->device_sent = false;
        qemu_task_next(task, "chardev-remove", json_texts("id", task->backend, NULL),
                       QMP_SHAPE_OBJECT, on_refused_chardev_removed);
    } else if (reply->error) {
        qemu_share_fail(task, reply->error, "cannot add the device to QEMU", reply->text);
    } else {
        qemu_share_succeed(task, true, true);
    }
}

/* False if QEMU refused that before, and it need not be. */
static bool may_bounce(const struct qemu_task *task)
{
    return !task->qemu->no_iommu_shares || task->aperture == CONFIG_APERTURE_REQUIRE;
}

static void on_chardev_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_share_fail(task, reply->error, "cannot connect QEMU to virtiofsd", reply->text);
    else if (task->iommu_platform && may_bounce(task))
        add_device(task, true, on_device_added_with_iommu);
    else
        add_device(task, false, on_device_added);
}

static void add_chardev(struct qemu_task *task)
{
    struct json_object *path =
        json_texts("path", device_server_socket(task->share->virtiofsd), NULL);
    struct json_object *address =
        json_members("type", json_object_new_string("unix"), "data", path, NULL);
    struct json_object *data =
        json_members("addr", address, "server", json_object_new_boolean(false), NULL);
    struct json_object *backend =
        json_members("type", json_object_new_string("socket"), "data", data, NULL);

    qemu_task_next(
        task, "chardev-add",
        json_members("id", json_object_new_string(task->backend), "backend", backend, NULL),
        QMP_SHAPE_OBJECT, on_chardev_added);
}

static void start_virtiofsd(struct qemu_task *task)
{
    struct device_qemu *qemu = task->qemu;
    struct share_server_place place = {
        .directory = qemu->directory,
        .parent = qemu->old_directory,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    char text[SHARE_SERVER_TEXT_SIZE];
    int error;

    /* virtiofsd's socket gets the owner of the QMP socket: QEMU's user. */
    (void)qmp_owner(qemu->qmp, &place.uid, &place.gid);
    task->awaits_ready = true;
    task->ready = add_chardev;
    /* Without iommu_platform the guest does not use the pool. */
    error = share_server_start(
        qemu->host.event, qemu->host.vm, &place, task->share->name, &task->serve,
        task->iommu_platform && may_bounce(task) ? task->aperture : CONFIG_APERTURE_OFF,
        &qemu_share_events, task->share, &task->share->virtiofsd, &task->serving_remark, text);
    if (error)
        qemu_share_fail(task, error, "", text);
}

static void on_port(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        qemu_share_fail(task, reply->error, "", reply->text);
    else
        start_virtiofsd(task);
}

/* A device that was just unplugged is not listed any more, and QEMU has its chardev yet: it lets go
 * when all of its threads have. */
static void on_chardev_removed(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (qemu_refusal_is(QEMU_REFUSAL_BUSY, reply) && qemu_task_left_ms(task) > 1 &&
        qemu_task_wait(task, CHARDEV_WAIT_US, qemu_share_make) >= 0)
        return;
    qemu_task_find_port(task, on_port);
}

void qemu_share_make(struct qemu_task *task)
{
    /* A former device's, or left by a daemon that died in between. */
    qemu_task_next(task, "chardev-remove", json_texts("id", task->backend, NULL), QMP_SHAPE_OBJECT,
                   on_chardev_removed);
}
