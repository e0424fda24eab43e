/*
 * qemu share: a virtiofs device in QEMU with its virtiofsd.
 *
 * Added: is QEMU's memory shared; is the device there already (then it is equal and taken over, or
 * unplugged); a free port; virtiofsd; chardev; device. What fails is undone in the other direction.
 */
#include "qemu_share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* After QEMU failed with the device: virtiofsd may be about to end, and its words say why. */
#define LAST_WORDS_WAIT_US UINT64_C(250000)

/* One request queue: more makes a guest's requests overtake each other and gains nothing here. */
#define REQUEST_QUEUES 1

#define MEMORY_ADVICE                                                                              \
    "virtiofs needs the guest's memory shared with virtiofsd: start QEMU with -object "            \
    "memory-backend-memfd,id=mem,size=<the VM's memory>,share=on -machine memory-backend=mem"

#define IOMMU_REMARK                                                                               \
    "QEMU cannot do iommu_platform with vhost-user-fs (virtiofsd does not offer "                  \
    "VIRTIO_F_ACCESS_PLATFORM): the device was added without and does not bounce through the "     \
    "guest's pool"

static struct qemu_share *find(const struct device_qemu *qemu, const char *tag)
{
    struct qemu_share *share = qemu->shares;

    while (share && strcmp(share->tag, tag) != 0)
        share = share->next;
    return share;
}

struct qemu_share *qemu_share_free(struct qemu_share *share, bool stop)
{
    struct qemu_share **position;

    if (!share)
        return NULL;
    position = &share->qemu->shares;
    while (*position != share)
        position = &(*position)->next;
    *position = share->next;
    if (stop)
        virtiofsd_stop(share->virtiofsd);
    else
        virtiofsd_free(share->virtiofsd);
    free(share->tag);
    free(share);
    return NULL;
}

static struct qemu_share *share_new(struct device_qemu *qemu, const struct device_share *from)
{
    struct qemu_share *share = calloc(1, sizeof(*share));

    if (!share || !(share->tag = strdup(from->tag))) {
        free(share);
        return NULL;
    }
    qemu_name_hash(share->name, qemu->host.vm->id, from->tag, from->path,
                   from->read_only ? "ro" : "rw", NULL);
    share->qemu = qemu;
    share->next = qemu->shares;
    qemu->shares = share;
    return share;
}

/* The task ended without a device of its making: what it made goes, what was there stays. */
static void drop_share(struct qemu_task *task)
{
    task->share = qemu_share_free(task->share, !task->share_adopted);
}

static void fail_now(struct qemu_task *task)
{
    const char *words = "";
    char text[DEVICE_TEXT_SIZE + VIRTIOFSD_TEXT_SIZE + 2];

    if (task->share->virtiofsd && virtiofsd_has_ended(task->share->virtiofsd))
        words = virtiofsd_describe(task->share->virtiofsd);
    (void)snprintf(text, sizeof(text), "%s%s%s", task->text, words[0] ? "; " : "", words);
    drop_share(task);
    qemu_task_finish(task, task->error, "%s", text);
}

static int on_last_words_wait(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)source;
    (void)now;
    fail_now(userdata);
    return 0;
}

/* Undoes what is there, and ends the operation. */
static void fail(struct qemu_task *task, int error, const char *what, const char *text)
{
    task->error = error == EREMOTEIO ? EIO : error;
    (void)snprintf(task->text, sizeof(task->text), "share %s: %s%s%s", task->share->tag, what,
                   what[0] ? ": " : "", text);
    if (!task->share->virtiofsd || task->share_adopted) {
        fail_now(task);
        return;
    }
    if (task->device_sent && error != EREMOTEIO)
        qemu_task_tell(task, "device_del", qmp_strings("id", task->device, NULL));
    qemu_task_tell(task, "chardev-remove", qmp_strings("id", task->backend, NULL));
    if (virtiofsd_has_ended(task->share->virtiofsd) || error == ECANCELED ||
        sd_event_add_time_relative(task->qemu->host.event, &task->timer, CLOCK_BOOTTIME,
                                   LAST_WORDS_WAIT_US, 0, on_last_words_wait, task) < 0)
        fail_now(task);
}

static void on_virtiofsd_ended(void *userdata, const char *text)
{
    struct qemu_share *share = userdata;

    if (share->task && share->task->timer && share->task->error) {
        fail_now(share->task);
    } else if (share->task && share->task->awaits_ready) {
        fail(share->task, EIO, "", "virtiofsd could not serve it");
    } else if (!share->task) {
        struct device_qemu *qemu = share->qemu;
        char device[QEMU_NAME_SIZE];

        /* At once, and before anybody unmounts: what the guest asks of a device that nobody serves
         * is never answered, and the kernel's driver waits for it for ever; of a device that is
         * gone it fails with ENOTCONN. */
        if (qemu_name_device(QEMU_NAME_FS, share->tag, device) == 0)
            (void)qmp_execute(qemu->qmp, "device_del", qmp_strings("id", device, NULL),
                              qemu->host.timeout_ms, NULL, NULL);
        qemu->host.events.share_lost(qemu->host.userdata, share->tag, false, text);
    }
    /* Else QEMU is about to find out, and the step under way fails. */
}

static void succeed(struct qemu_task *task, bool created, bool iommu_platform)
{
    if (virtiofsd_has_ended(task->share->virtiofsd)) {
        fail(task, EIO, "", "virtiofsd ended while the device was added");
        return;
    }
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = iommu_platform;
    task->share->task = NULL;
    qemu_task_finish(task, 0, "%s%s%s", task->token && !iommu_platform ? IOMMU_REMARK : "",
                     task->token && !iommu_platform && task->remark[0] ? "; " : "", task->remark);
}

static void on_device_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        fail(task, reply->error, "QEMU could not add the device", reply->text);
    else
        succeed(task, true, false);
}

static void add_device(struct qemu_task *task, bool iommu_platform, qemu_step_fn step)
{
    struct json_object *arguments = qmp_arguments(
        "driver", json_object_new_string("vhost-user-fs-pci"), "id",
        json_object_new_string(task->device), "chardev", json_object_new_string(task->backend),
        "tag", json_object_new_string(task->share->tag), "bus",
        json_object_new_string(qemu_task_port(task)), "num-request-queues",
        json_object_new_int(REQUEST_QUEUES), NULL);

    if (arguments && iommu_platform)
        (void)json_object_object_add(arguments, "iommu_platform", json_object_new_boolean(true));
    task->device_sent = true;
    qemu_task_next(task, "device_add", arguments, step);
}

static void on_device_added_with_iommu(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error == EREMOTEIO && strstr(reply->text, "iommu_platform"))
        add_device(task, false, on_device_added);
    else if (reply->error)
        fail(task, reply->error, "QEMU could not add the device", reply->text);
    else
        succeed(task, true, true);
}

static void on_chardev_added(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        fail(task, reply->error, "QEMU could not connect to virtiofsd", reply->text);
    else
        add_device(task, task->token, task->token ? on_device_added_with_iommu : on_device_added);
}

static void add_chardev(struct qemu_task *task)
{
    struct json_object *path = qmp_strings("path", virtiofsd_socket(task->share->virtiofsd), NULL);
    struct json_object *address =
        qmp_arguments("type", json_object_new_string("unix"), "data", path, NULL);
    struct json_object *data =
        qmp_arguments("addr", address, "server", json_object_new_boolean(false), NULL);
    struct json_object *backend =
        qmp_arguments("type", json_object_new_string("socket"), "data", data, NULL);

    qemu_task_next(
        task, "chardev-add",
        qmp_arguments("id", json_object_new_string(task->backend), "backend", backend, NULL),
        on_chardev_added);
}

static void on_virtiofsd_ready(void *userdata, const char *remark)
{
    struct qemu_share *share = userdata;

    (void)snprintf(share->task->remark, sizeof(share->task->remark), "%s", remark);
    share->task->awaits_ready = false;
    add_chardev(share->task);
}

static void on_port(struct qemu_task *task, const struct qmp_reply *reply)
{
    const struct config_vm *vm = task->qemu->host.vm;
    struct virtiofsd_spec spec = {
        .program = vm->device_host.virtiofsd,
        .directory = task->qemu->directory,
        .name = task->share->name,
        .path = task->path,
        .read_only = task->read_only,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    struct stat status;
    int r;

    if (reply->error) {
        fail(task, reply->error, "", reply->text);
        return;
    }
    /* Who made the QMP socket is whom virtiofsd's is for. */
    if (stat(vm->device_host.qmp, &status) == 0) {
        spec.uid = status.st_uid;
        spec.gid = status.st_gid;
    }
    task->awaits_ready = true;
    r = virtiofsd_start(task->qemu->host.event, &spec, on_virtiofsd_ready, on_virtiofsd_ended,
                        task->share, &task->share->virtiofsd);
    if (r == -ENOENT)
        fail(task, ENOENT, "virtiofsd is not installed, or not where device_host.virtiofsd says",
             spec.program ? spec.program : "(no path configured)");
    else if (r == -ENAMETOOLONG)
        fail(task, ENAMETOOLONG,
             "the path of virtiofsd's socket would have more than 107 bytes; use a shorter "
             "state_dir than",
             task->qemu->directory);
    else if (r < 0)
        fail(task, -r, "virtiofsd could not be started", strerrordesc_np(-r));
}

static void make_anew(struct qemu_task *task)
{
    /* A daemon that died in between may have left it; with a device on it QEMU says busy. */
    qemu_task_tell(task, "chardev-remove", qmp_strings("id", task->backend, NULL));
    qemu_task_find_port(task, on_port);
}

static void on_old_unplugged(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        fail(task, reply->error, "a device of that tag that is not equal is in the way",
             reply->text);
    } else {
        qemu_share_remove_backend(task, task->old_backend);
        make_anew(task);
    }
}

static void on_existing_iommu(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error)
        fail(task, reply->error, "QEMU could not tell about the device", reply->text);
    else
        succeed(task, false, json_object_get_boolean(reply->result));
}

static void on_existing_chardev(struct qemu_task *task, const struct qmp_reply *reply)
{
    const char *chardev = reply->error ? NULL : json_object_get_string(reply->result);

    if (reply->error && reply->error != EREMOTEIO) {
        fail(task, reply->error, "QEMU could not tell about the device", reply->text);
    } else if (chardev && strcmp(chardev, task->backend) == 0 &&
               virtiofsd_adopt(task->qemu->host.event, task->qemu->directory, task->share->name,
                               on_virtiofsd_ended, task->share, &task->share->virtiofsd) == 0) {
        char path[QEMU_NAME_SIZE + 32];

        task->share_adopted = true;
        (void)snprintf(path, sizeof(path), "/machine/peripheral/%s", task->device);
        qemu_task_next(task, "qom-get",
                       qmp_strings("path", path, "property", "iommu_platform", NULL),
                       on_existing_iommu);
    } else {
        (void)snprintf(task->old_backend, sizeof(task->old_backend), "%s", chardev ? chardev : "");
        /* Another share's, or its virtiofsd is gone, and QEMU cannot connect a device anew. */
        qemu_task_unplug(task, on_old_unplugged);
    }
}

static void on_peripherals(struct qemu_task *task, const struct qmp_reply *reply)
{
    char path[QEMU_NAME_SIZE + 32];

    if (reply->error) {
        fail(task, reply->error, "QEMU could not list its devices", reply->text);
        return;
    }
    if (!qemu_task_device_is_listed(task, reply)) {
        make_anew(task);
        return;
    }
    (void)snprintf(path, sizeof(path), "/machine/peripheral/%s", task->device);
    qemu_task_next(task, "qom-get", qmp_strings("path", path, "property", "chardev", NULL),
                   on_existing_chardev);
}

static void on_memory(struct qemu_task *task, const struct qmp_reply *reply)
{
    size_t count = reply->error ? 0 : json_object_array_length(reply->result);
    bool shared = false;

    for (size_t i = 0; i < count; i++) {
        struct json_object *share;

        if (json_object_object_get_ex(json_object_array_get_idx(reply->result, i), "share", &share))
            shared = shared || json_object_get_boolean(share);
    }
    if (reply->error)
        fail(task, reply->error, "QEMU could not tell about its memory", reply->text);
    else if (!shared)
        fail(task, ENOTSUP, "", MEMORY_ADVICE);
    else
        qemu_task_next(task, "qom-list", qmp_strings("path", "/machine/peripheral", NULL),
                       on_peripherals);
}

/* The share of a task that may begin. @return 0 or -errno */
static int begin(struct qemu_task *task, const struct device_share *share)
{
    (void)qemu_share_free(find(task->qemu, share->tag), false); /* looked at as by a new daemon */
    task->share = share_new(task->qemu, share);
    task->path = strdup(share->path);
    if (!task->share || !task->path)
        return -ENOMEM;
    task->share->task = task;
    task->cleanup = drop_share;
    task->token = share->token;
    task->read_only = share->read_only;
    (void)snprintf(task->backend, sizeof(task->backend), "%s%s", QEMU_NAME_FS, task->share->name);
    return qemu_task_begin(task, "query-memdev", NULL, on_memory);
}

int qemu_share_add(struct device_qemu *qemu, const struct device_share *share,
                   struct device_operation *operation)
{
    struct qemu_task *task = qemu_task_new(qemu, operation);
    struct stat status;
    int r;

    if (!task)
        return -ENOMEM;
    r = qemu_name_device(QEMU_NAME_FS, share->tag, task->device);
    if (r == 0 && qemu_task_is_busy(task))
        return qemu_task_refuse(task, EBUSY, QEMU_TASK_BUSY);
    if (r == 0 && (stat(share->path, &status) < 0 || !S_ISDIR(status.st_mode))) {
        (void)qemu_task_abandon(task);
        return device_operation_finish_later(operation, ENOENT,
                                             "share %s: %s is not a directory of this host",
                                             share->tag, share->path);
    }
    if (r == 0)
        r = begin(task, share);
    if (r < 0)
        (void)qemu_task_abandon(task);
    return r;
}
