/* qemu driver: hot-plugs devices into QEMU over QMP, and runs virtiofsd for the shares. */
#include "driver.h"

#include "adapter.h"
#include "passt.h"
#include "share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the state directory: where virtiofsd's files are, in a folder for each VM, named for its id.
 * Short, for the path of a Unix socket has at most 107 bytes. */
#define DIRECTORY "fs"

static bool is_up(const struct device_host *host)
{
    return qmp_is_up(((const struct device_qemu *)host)->qmp);
}

static const char *version(const struct device_host *host)
{
    return qmp_version(((const struct device_qemu *)host)->qmp);
}

/* {"shares": {TAG: NAME, …}, "passts": {ID: NAME, …}}: only to clean up after a QEMU that ended
 * while no daemon ran; a device that is there is found by QMP and virtiofsd's own files. */
static struct json_object *qemu_remember(const struct device_host *host)
{
    const struct device_qemu *qemu = (const struct device_qemu *)host;
    struct json_object *shares = json_object_new_object();

    for (const struct qemu_share *share = qemu->shares; share && shares; share = share->next)
        (void)json_object_object_add(shares, share->tag, json_object_new_string(share->name));
    return json_members("shares", shares, "passts", qemu_passts_remember(qemu), NULL);
}

/* QEMU is gone: nobody uses what the shares of this daemon, and of the one before, left. */
static void clean_up(struct device_qemu *qemu)
{
    struct qemu_share *share = qemu->shares, *next;

    for (; share; share = next) {
        next = share->next;
        if (!share->task) /* else its task ends it: a step may be waiting with it */
            (void)qemu_share_free(share, true);
    }
    qemu_share_sweep_all(qemu);
    qemu_passts_clean_up(qemu);
    (void)rmdir(qemu->directory); /* of a VM that may be configured no more */
    json_object_put(qemu->memory);
    qemu->memory = NULL;
}

static void on_up(void *userdata)
{
    struct device_qemu *qemu = userdata;

    qemu->was_up = true;
    qemu->host.events.up(qemu->host.userdata);
}

static void on_down(void *userdata, bool ended, const char *text)
{
    struct device_qemu *qemu = userdata;

    /* At the start a socket at which nobody listens is a QEMU that is not there. A connection that
     * broke, or cannot be made, while QEMU may live leaves the devices as they are. */
    if (ended || (!qemu->was_up && qmp_is_absent(qemu->qmp)))
        clean_up(qemu);
    if (ended)
        qemu->no_iommu_shares = false; /* the next one may be another version */
    qemu_shares_stay(qemu);            /* what QEMU says meanwhile nobody hears */
    qemu_task_lose_unplugs(qemu, text);
    qemu->host.events.down(qemu->host.userdata, ended, text);
}

static void on_unplug_event(struct device_qemu *qemu, const char *device, int error)
{
    qemu_share_on_unplug_event(qemu, device);
    qemu_task_on_unplug_event(qemu, device, error);
}

/* A request to unplug that the guest had not seen is forgotten with it. */
static void on_reset(struct device_qemu *qemu)
{
    qemu_shares_stay(qemu);
    qemu->host.events.reset(qemu->host.userdata);
}

static void on_event(void *userdata, const char *name, struct json_object *data)
{
    struct device_qemu *qemu = userdata;
    const char *device = qmp_reader_text(json_member(data, "device"));
    const char *netdev = qmp_reader_text(json_member(data, "netdev-id"));

    if (strcmp(name, "RESET") == 0)
        on_reset(qemu);
    else if (strcmp(name, "RESUME") == 0)
        qemu->host.events.resumed(qemu->host.userdata);
    else if (device && strcmp(name, "DEVICE_DELETED") == 0)
        on_unplug_event(qemu, device, 0);
    else if (device && (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0 ||
                        strcmp(name, "MEM_UNPLUG_ERROR") == 0))
        on_unplug_event(qemu, device, EBUSY);
    else if (netdev && strcmp(name, "NETDEV_STREAM_CONNECTED") == 0)
        qemu_adapter_on_stream(qemu, netdev);
}

static struct device_host *qemu_free(struct device_host *host)
{
    struct device_qemu *qemu = device_qemu_of(host);

    qemu->qmp = qmp_free(qemu->qmp); /* ends the commands, and with them most operations */
    device_host_done(host);
    while (qemu->shares)
        (void)qemu_share_free(qemu->shares, false);
    while (qemu->passts)
        (void)qemu_passt_free(qemu->passts, false);
    json_object_put(qemu->memory);
    free(qemu->directory);
    free(qemu->old_directory);
    free(qemu);
    return NULL;
}

static int name_directories(struct device_qemu *qemu, const char *state_dir)
{
    char name[DEVICE_NAME_HASH_SIZE];

    device_name_hash(name, qemu->host.vm->id, NULL);
    if (asprintf(&qemu->old_directory, "%s/" DIRECTORY, state_dir) < 0) {
        qemu->old_directory = NULL;
        return -ENOMEM;
    }
    if (asprintf(&qemu->directory, "%s/%s", qemu->old_directory, name) < 0) {
        qemu->directory = NULL;
        return -ENOMEM;
    }
    return 0;
}

int qemu_driver_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                    struct json_object *memory, const struct device_host_events *events,
                    void *userdata, struct device_host **ret_host)
{
    static const struct device_driver driver = {
        .add_share = qemu_share_add,
        .remove_share = qemu_share_remove,
        .add_adapter = qemu_adapter_add,
        .remove_adapter = qemu_adapter_remove,
        .get_aperture = qemu_share_get_aperture,
        .get_adapter_aperture = qemu_passt_get_aperture,
        .confirm_aperture = qemu_share_confirm_aperture,
        .confirm_adapter_aperture = qemu_passt_confirm_aperture,
        .is_up = is_up,
        .version = version,
        .remember = qemu_remember,
        .free = qemu_free,
    };
    static const struct qmp_events qmp_events = {
        .up = on_up,
        .down = on_down,
        .event = on_event,
    };
    struct device_qemu *qemu = calloc(1, sizeof(*qemu));
    int r;

    if (!qemu)
        return -ENOMEM;
    device_host_init(&qemu->host, &driver, event, vm, events, userdata);
    qemu->memory = json_object_get(memory);
    r = name_directories(qemu, state_dir);
    if (r == 0) {
        /* What cannot be made is said when a share needs it. */
        (void)mkdir(state_dir, 0755);
        r = qmp_new(event, vm->device_host.qmp, &qmp_events, qemu, &qemu->qmp);
    }
    if (r < 0) {
        (void)qemu_free(&qemu->host);
        return r;
    }
    *ret_host = &qemu->host;
    return 0;
}
