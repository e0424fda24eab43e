/* vm owner: one virtual machine: its birth, its device host's coming and going, its end. */
#include "vm_owner.h"

#include "adapter.h"
#include "attachment.h"
#include "base/clock.h"
#include "base/limits.h"
#include "config/settings.h"
#include "device/device_host.h"
#include "device_aperture.h"
#include "exec_parts.h"
#include "guest/guest.h"
#include "operation.h"
#include "report.h"
#include "services.h"
#include "share.h"
#include "virtio_device.h"
#include "vm_connection.h"
#include "vm_parts.h"
#include "vm_store.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void on_warning(void *userdata, const char *remark)
{
    report_config_warning(userdata, remark, true);
}

/* Retry everything that failed because the device host was down. */
static void on_up(void *userdata)
{
    struct vm *vm = userdata;

    free(vm->host_error);
    vm->host_error = NULL;
    vm->unvouched_told = false;
    if (vm->services->vm_vouched)
        vm->services->vm_vouched(vm);
    /* It boots, unless this is the VMM of a guest that said farewell, reached again. */
    if (config_vm_has_qemu(vm->config) && !vm->boot.farewell)
        vm_set_ended(vm, false);
    vm_await_guest(vm);
    if (guest_is_attached(vm->guest))
        attachments_begin(vm, ATTACHMENTS_AGAIN);
}

static void on_down(void *userdata, bool ended, const char *text)
{
    struct vm *vm = userdata;

    free(vm->host_error);
    vm->host_error = strdup(text);
    vm->host_error_told = false;
    if (!ended) {
        report_line(vm, ALLOWANCE_DEVICE, LOG_INFO, "%s", text);
        if (vm->connection)
            vm_tell_host_error(vm);
    } else {
        report_line(vm, ALLOWANCE_DEVICE, LOG_NOTICE, "the VM exited: %s", text);
        vm->ended = true;
        vm_drop_connection(vm, "vm-ended", 0);
        vm->boot.farewell = false; /* the next VMM is another's */
        attachments_end(vm, text);
    }
    virtio_devices_forget(vm);
    /* fail whatever was waiting for it */
    vm_wake(vm);
    saver_now(&vm->saver);
}

static void on_reset(void *userdata)
{
    struct vm *vm = userdata;

    report_line(vm, ALLOWANCE_RESET, LOG_INFO, "the guest was reset");
    vm_drop_connection(vm, "reset", 0);
    vm_set_ended(vm, false); /* it boots, whatever it said before */
    vm_await_guest(vm);
}

static void on_resumed(void *userdata)
{
    guest_clock_resumed(userdata);
}

static void on_share_lost(void *userdata, const char *tag, bool restored, const char *text)
{
    shares_lost(userdata, tag, restored, text);
}

static void on_share_refused(void *userdata, const char *tag, const char *reason)
{
    shares_refused(userdata, tag, reason);
}

static void aperture_changed(struct vm *vm, const struct attachment_kind *kind, const char *name)
{
    struct virtio_device *device = virtio_device_find(vm, kind, name);

    if (device)
        device_aperture_changed(device);
}

static void on_aperture_changed(void *userdata, const char *tag)
{
    aperture_changed(userdata, &share_kind, tag);
}

static void on_adapter_lost(void *userdata, const char *id, bool restored, const char *text)
{
    adapters_lost(userdata, id, restored, text);
}

static void on_adapter_refused(void *userdata, const char *id, const char *reason)
{
    adapters_refused(userdata, id, reason);
}

static void on_adapter_aperture_changed(void *userdata, const char *id)
{
    aperture_changed(userdata, &adapter_kind, id);
}

const struct device_host_events vm_device_host_events = {
    .up = on_up,
    .down = on_down,
    .reset = on_reset,
    .resumed = on_resumed,
    .share_lost = on_share_lost,
    .adapter_lost = on_adapter_lost,
    .adapter_refused = on_adapter_refused,
    .adapter_aperture_changed = on_adapter_aperture_changed,
    .share_refused = on_share_refused,
    .aperture_changed = on_aperture_changed,
};

static int on_left(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    (void)at_us;
    if (vm->attachments)
        report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING,
                    "some devices were not removed within %u ms; leaving them to the VMM",
                    LIMITS_LEAVE_MS);
    vm->left(vm->left_userdata, vm);
    return 0;
}

/* From the top: whatever changed, each looks for itself what is next. */
static int on_wake(sd_event_source *source, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    attachments_step(vm);
    device_apertures_confirm(vm);
    bringup_check(vm);
    if (vm->left && !vm->attachments)
        (void)clock_arm(vm->services->event, &vm->leave_timer, 0, on_left, vm);
    return 0;
}

static int start(struct vm *vm)
{
    struct json_object *memory;
    int r;

    r = sd_event_add_defer(vm->services->event, &vm->wake, on_wake, vm);
    if (r >= 0)
        r = guest_new(vm->services->event, &vm->guest);
    if (r < 0)
        return r;
    vm->policy = policy_decide(vm->settings->config, vm->config, on_warning, vm);
    vm_add_configured(vm); /* before what is remembered: the file has its tags */
    memory = vm_store_recall(vm);
    r = device_host_new(vm->services->event, vm->config, vm->services->config->state_dir, memory,
                        &vm_device_host_events, vm, &vm->host);
    (void)json_object_put(memory);
    if (r < 0)
        return r;
    vm_await_guest(vm);
    return 0;
}

int vm_new(struct services *services, struct settings *settings, const struct config_vm *config,
           struct vm **ret_vm)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int r;

    if (!vm)
        return -ENOMEM;
    vm->services = services;
    vm->settings = settings_ref(settings);
    vm->host_settings = settings_ref(settings);
    vm->config = config;
    vm->saver = (struct saver){.event = services->event, .save = vm_store_save, .userdata = vm};
    TAILQ_INIT(&vm->handshakes.queue);
    if (getrandom(&vm->exec_next, sizeof(vm->exec_next), GRND_NONBLOCK) < 0)
        vm->exec_next = (uint32_t)clock_real_us();
    r = start(vm);
    if (r < 0) {
        (void)vm_free(vm);
        return r;
    }
    *ret_vm = vm;
    return 0;
}

struct vm *vm_free(struct vm *vm)
{
    if (!vm)
        return NULL;
    execs_orphan(vm);
    if (vm->connection) {
        vm->connection = connection_free(vm->connection);
        guest_attach(vm->guest, NULL);
    }
    saver_flush(&vm->saver);
    vm->refused = connection_free(vm->refused);
    report_dropped(vm);
    while (!LIST_EMPTY(&vm->operations))
        operation_finish(LIST_FIRST(&vm->operations), ECANCELED, "the daemon releases the VM");
    vm->host = device_host_free(vm->host);
    virtio_devices_done(vm);
    (void)json_object_put(vm->folders);
    attachments_done(vm);
    vm->guest = guest_free(vm->guest);
    payload_reset(vm);
    warned_done(&vm->warned);
    silence_done(&vm->silence);
    (void)sd_event_source_disable_unref(vm->connect_timer);
    (void)sd_event_source_disable_unref(vm->farewell_timer);
    (void)sd_event_source_disable_unref(vm->refused_timer);
    (void)sd_event_source_disable_unref(vm->dropped_timer);
    saver_done(&vm->saver);
    (void)sd_event_source_disable_unref(vm->wake);
    (void)sd_event_source_disable_unref(vm->leave_timer);
    free(vm->host_error);
    (void)settings_unref(vm->settings);
    (void)settings_unref(vm->host_settings);
    free(vm);
    return NULL;
}

void vm_leave(struct vm *vm, void (*left)(void *userdata, struct vm *vm), void *userdata)
{
    vm->left = left;
    vm->left_userdata = userdata;
    report_line(vm, ALLOWANCE_DEVICE, LOG_INFO,
                "removed from the configuration; removing its devices");
    (void)clock_arm(vm->services->event, &vm->leave_timer, LIMITS_LEAVE_MS, on_left, vm);
    for (struct attachment *a = vm->attachments; a; a = a->next)
        attachment_drop(a);
    vm_wake(vm);
}

const struct config_vm *vm_config(const struct vm *vm)
{
    return vm->config;
}
