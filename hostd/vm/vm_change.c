/* vm change: a VM whose configuration changed under it. */
#include "adapter.h"
#include "config/settings.h"
#include "report.h"
#include "share.h"
#include "vm_parts.h"

#include <errno.h>
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
           share->config.transport == config->transport &&
           config_serving_equal(&share->config.serving, &config->serving);
}

static void tell_no_room(struct vm *vm, const char *kind, const char *name)
{
    report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING, "cannot add %s %s: no room for it", kind, name);
}

static bool has_another_transport(const struct vm *vm, const struct share *share)
{
    return share->attachment.wanted && share->transport != POLICY_TRANSPORT_NONE &&
           share->transport !=
               policy_share_transport(&vm->policy, &share->config, vm->boot.capabilities.features);
}

/* The next one waits until this one has gone, with what serves it. One that could not go may have a
 * successor already. */
static void make_anew(struct vm *vm, struct share *share)
{
    struct share *next;
    int r;

    attachment_drop(&share->attachment);
    r = share_new(vm, &share->config, share->configured, &next);
    if (r < 0 && r != -EEXIST)
        tell_no_room(vm, "share", share->config.tag);
}

/* One that could not go is wanted again: its successor goes. */
static void keep_first(struct vm *vm, struct share *next)
{
    share_find(vm, next->config.tag)->dropped = false;
    attachment_drop(&next->attachment);
}

/* Those of the file that it names no more, or otherwise, go. */
static void drop_shares(struct vm *vm)
{
    for (struct share *share = share_next(vm, NULL); share; share = share_next(vm, share)) {
        const struct config_share *config = find_share(vm->config, share->config.tag);

        if (config ? !share_says(share, config) : share->configured)
            attachment_drop(&share->attachment);
        else if (share->attachment.wanted && share_find(vm, share->config.tag) != share)
            keep_first(vm, share);
        else if (has_another_transport(vm, share))
            make_anew(vm, share);
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

/* @param all  what becomes of an adapter is another thing now */
static void drop_adapters(struct vm *vm, bool all)
{
    struct attachment *a = NULL;

    while ((a = attachment_next(vm, &adapter_kind, a))) {
        const struct config_network *config = find_network(vm->config, a->name);

        if (all || !config || !config_network_equal(adapter_of(a)->config, config))
            attachment_drop(a);
    }
}

void vm_add_configured(struct vm *vm)
{
    const struct config_vm *config = vm->config;

    for (size_t i = 0; i < config->share_count; i++) {
        struct share *share = share_find(vm, config->shares[i].tag);

        if (share || share_new(vm, &config->shares[i], true, &share) == 0) {
            share->configured = true;
            share->dropped = false;
        } else {
            tell_no_room(vm, "share", config->shares[i].tag);
        }
    }
    for (size_t i = 0; i < config->network_count; i++) {
        if (!attachment_find(vm, &adapter_kind, config->networks[i].id, true) &&
            adapter_new(vm, vm->settings, &config->networks[i]) < 0)
            tell_no_room(vm, "adapter", config->networks[i].id);
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
    device_host_rebase(vm->host, config);
    (void)settings_unref(old);
}

void vm_rebase(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    rebase(vm, settings, config);
    /* what failed, too: somebody who asks for a reload may have fixed its cause */
    attachments_begin(vm, ATTACHMENTS_AGAIN);
}

void vm_change(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    bool hostname_changes =
        config->hostname &&
        (!vm->config->hostname || strcmp(config->hostname, vm->config->hostname) != 0);
    enum config_networking networking = vm->policy.networking;

    rebase(vm, settings, config);
    vm->policy = policy_decide(settings->config, config, on_warning, vm);
    report_line(vm, ALLOWANCE_DEVICE, LOG_INFO, "the configuration changed");
    if (hostname_changes)
        bringup_set_hostname(vm);
    drop_shares(vm);
    drop_adapters(vm, vm->policy.networking != networking);
    shares_renew(vm);
    adapters_renew(vm);
    attachments_step(vm); /* what can go at once makes room */
    vm_add_configured(vm);
    attachments_begin(vm, ATTACHMENTS_AGAIN);
}
