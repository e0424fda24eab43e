/* vm change: a VM whose configuration changed under it, or that was taken out of it. */
#include "base/clock.h"
#include "base/limits.h"
#include "report.h"
#include "vm_life.h"
#include "vm_parts.h"

#include <string.h>

static const struct config_share *find_share(const struct config_vm *config, const char *tag)
{
    for (size_t i = 0; i < config->share_count; i++) {
        if (strcmp(config->shares[i].tag, tag) == 0)
            return &config->shares[i];
    }
    return NULL;
}

static bool share_says(const struct share *share, const struct config_share *config)
{
    return strcmp(share->config.path, config->path) == 0 &&
           strcmp(share->config.target, config->target) == 0 &&
           share->config.read_only == config->read_only &&
           share->config.transport == config->transport;
}

/* Those of the file that it names no more, or otherwise, go. */
static void drop_shares(struct vm *vm)
{
    struct share *next;

    for (struct share *share = vm->shares.first; share; share = next) {
        const struct config_share *config = find_share(vm->config, share->config.tag);

        next = share->next;
        if (config && share_says(share, config))
            share->configured = true;
        else if (share->wanted && (config || share->configured))
            share_drop(share);
    }
}

static void add_shares(struct vm *vm)
{
    struct share *added;

    for (size_t i = 0; i < vm->config->share_count; i++) {
        const struct config_share *config = &vm->config->shares[i];
        struct share *there = share_find(vm, config->tag);

        if (there && there->wanted)
            continue;
        if (share_new(vm, config, true, &added) < 0)
            report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING,
                        "share %s cannot be added; there is no room for it", config->tag);
    }
}

static const struct config_network *find_network(const struct config_vm *config, const char *id)
{
    for (size_t i = 0; i < config->network_count; i++) {
        if (strcmp(config->networks[i].id, id) == 0)
            return &config->networks[i];
    }
    return NULL;
}

static void change_adapters(struct vm *vm)
{
    struct adapter *next;

    for (struct adapter *adapter = vm->adapters.first; adapter; adapter = next) {
        const struct config_network *config = find_network(vm->config, adapter->config->id);

        next = adapter->next;
        if (adapter->wanted && (!config || !config_network_equal(adapter->config, config)))
            adapter_drop(adapter);
    }
    for (size_t i = 0; i < vm->config->network_count; i++) {
        if (!adapter_find(vm, vm->config->networks[i].id))
            (void)adapter_new(vm, vm->settings, &vm->config->networks[i]);
    }
}

static void on_warning(void *userdata, const char *remark)
{
    report_config_warning(userdata, remark, false);
}

static void rebase(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    struct settings *old = vm->settings;

    vm->settings = settings_ref(settings);
    vm->config = config;
    (void)settings_unref(old);
}

/* What failed, too: somebody who asks for a reload may have mended its cause. */
static void step_again(struct vm *vm)
{
    shares_begin(vm, true);
    adapters_begin(vm, true);
    shares_step(vm);
    adapters_step(vm);
}

void vm_rebase(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    rebase(vm, settings, config);
    step_again(vm);
}

void vm_change(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    bool hostname_changes =
        config->hostname &&
        (!vm->config->hostname || strcmp(config->hostname, vm->config->hostname) != 0);

    rebase(vm, settings, config);
    vm->policy = policy_decide(settings->config, config, on_warning, vm);
    report_line(vm, ALLOWANCE_DEVICE, LOG_INFO, "its configuration changed");
    if (hostname_changes)
        bringup_set_hostname(vm);
    drop_shares(vm);
    add_shares(vm);
    change_adapters(vm);
    step_again(vm);
}

static int on_left(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    (void)at_us;
    if (vm->shares.first || vm->adapters.first)
        report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING,
                    "its devices did not all go within %u ms; what is left is left to its VMM",
                    LIMITS_LEAVE_MS);
    vm->left(vm->left_userdata, vm);
    return 0;
}

void vm_check_left(struct vm *vm)
{
    if (vm->left && !vm->shares.first && !vm->adapters.first)
        (void)clock_arm(vm->services->event, &vm->leave_timer, 0, on_left, vm);
}

void vm_leave(struct vm *vm, void (*left)(void *userdata, struct vm *vm), void *userdata)
{
    struct share *next_share;
    struct adapter *next_adapter;

    vm->left = left;
    vm->left_userdata = userdata;
    report_line(vm, ALLOWANCE_DEVICE, LOG_INFO,
                "it is in the configuration no more; its devices are taken away");
    (void)clock_arm(vm->services->event, &vm->leave_timer, LIMITS_LEAVE_MS, on_left, vm);
    for (struct share *s = vm->shares.first; s; s = next_share) {
        next_share = s->next;
        if (s->wanted)
            share_drop(s);
    }
    for (struct adapter *a = vm->adapters.first; a; a = next_adapter) {
        next_adapter = a->next;
        if (a->wanted)
            adapter_drop(a);
    }
    vm_check_left(vm);
}
