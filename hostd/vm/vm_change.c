/* vm change: a VM whose configuration changed under it. */
#include "adapter.h"
#include "config/settings.h"
#include "report.h"
#include "share.h"
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
           share->config.transport == config->transport &&
           config_serving_equal(&share->config.serving, &config->serving);
}

/* Those of the file that it names no more, or otherwise, go. */
static void drop_shares(struct vm *vm)
{
    for (struct share *share = share_next(vm, NULL); share; share = share_next(vm, share)) {
        const struct config_share *config = find_share(vm->config, share->config.tag);

        if (config ? !share_says(share, config) : share->configured)
            attachment_drop(&share->attachment);
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

static void drop_adapters(struct vm *vm)
{
    struct attachment *a = NULL;

    while ((a = attachment_next(vm, &adapter_kind, a))) {
        const struct config_network *config = find_network(vm->config, a->name);

        if (!config || !config_network_equal(adapter_of(a)->config, config))
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
            report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING, "cannot add share %s: no room for it",
                        config->shares[i].tag);
        }
    }
    for (size_t i = 0; i < config->network_count; i++) {
        if (!attachment_find(vm, &adapter_kind, config->networks[i].id, true) &&
            adapter_new(vm, vm->settings, &config->networks[i]) < 0)
            report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING, "cannot add adapter %s: no room for it",
                        config->networks[i].id);
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

    rebase(vm, settings, config);
    vm->policy = policy_decide(settings->config, config, on_warning, vm);
    report_line(vm, ALLOWANCE_DEVICE, LOG_INFO, "the configuration changed");
    if (hostname_changes)
        bringup_set_hostname(vm);
    drop_shares(vm);
    drop_adapters(vm);
    shares_renew(vm);
    adapters_renew(vm);
    attachments_step(vm); /* what can go at once makes room */
    vm_add_configured(vm);
    attachments_begin(vm, ATTACHMENTS_AGAIN);
}
