/* reload: the configuration file read again, and everything brought in line with it. */
#include "reload.h"

#include "base/log.h"
#include "config/strings.h"
#include "config/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_warning(void *userdata, const char *remark)
{
    struct reload *reload = userdata;

    log_line(LOG_WARNING, "%s", remark);
    if (reload->on_warning)
        reload->on_warning(reload->userdata, remark);
}

static void on_error(void *userdata, const char *remark)
{
    struct reload *reload = userdata;

    log_line(LOG_ERR, "%s", remark);
    if (reload->on_error)
        reload->on_error(reload->userdata, remark);
}

/* What a running VM object was made of and cannot change. */
static bool is_same_machine(const struct config_vm *a, const struct config_vm *b)
{
    return strcmp(a->name, b->name) == 0 && a->cid == b->cid &&
           config_text_equal(a->socket, b->socket) &&
           config_device_host_equal(&a->device_host, &b->device_host);
}

/* It let its devices go, or had the time to. */
static void on_left(void *userdata, struct vm *vm)
{
    registry_forget_retired(userdata, vm);
}

enum plan_fate {
    PLAN_KEPT,
    PLAN_ADDED, /* made by this plan */
    PLAN_ANEW,  /* the same UUID on another machine: the old VM goes and comes again */
};

struct plan {
    struct vm **vms; /* those of PLAN_ANEW: the old ones */
    enum plan_fate *fates;
    size_t count;
};

static void plan_done(struct plan *plan)
{
    free(plan->vms);
    free(plan->fates);
    *plan = (struct plan){0};
}

static void plan_undo(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->fates[i] == PLAN_ADDED)
            (void)vm_free(plan->vms[i]);
    }
    plan_done(plan);
}

static int plan_vm(struct reload *reload, struct settings *settings, const struct config_vm *config,
                   struct vm **ret_vm, enum plan_fate *ret_fate)
{
    struct vm *vm = registry_find_id(reload->fleet->registry, config->id);
    int r;

    if (vm) {
        *ret_vm = vm;
        *ret_fate = is_same_machine(vm_config(vm), config) ? PLAN_KEPT : PLAN_ANEW;
        return 0;
    }
    /* one that is just leaving is back: what it left is taken over */
    registry_forget_retired(reload->fleet->registry,
                            registry_find_retired(reload->fleet->registry, config->id));
    r = vm_new(&reload->fleet->services, settings, config, ret_vm);
    if (r >= 0)
        *ret_fate = PLAN_ADDED;
    return r;
}

/* Makes what is new, so that all that can fail has failed before anything else changes. */
static int plan_make(struct reload *reload, struct settings *settings, struct plan *ret_plan)
{
    const struct config *config = settings->config;
    struct plan plan = {.vms = calloc(config->vm_count + 1, sizeof(struct vm *)),
                        .fates = calloc(config->vm_count + 1, sizeof(enum plan_fate))};
    int r = plan.vms && plan.fates ? 0 : -ENOMEM;

    if (r >= 0)
        r = registry_reserve(reload->fleet->registry, config->vm_count);
    while (r >= 0 && plan.count < config->vm_count) {
        r = plan_vm(reload, settings, &config->vms[plan.count], &plan.vms[plan.count],
                    &plan.fates[plan.count]);
        if (r >= 0)
            plan.count++;
    }
    if (r < 0)
        plan_undo(&plan);
    else
        *ret_plan = plan;
    return r;
}

static bool is_in(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->vm_count; i++) {
        if (strcmp(config->vms[i].id, id) == 0)
            return true;
    }
    return false;
}

/* Those of the old order that the new one has no place for. */
static void retire(struct reload *reload, const struct config *config)
{
    for (size_t i = 0; i < registry_count(reload->fleet->registry); i++) {
        struct vm *vm = registry_get(reload->fleet->registry, i);

        if (is_in(config, vm_config(vm)->id))
            continue;
        handshakes_forget(reload->handshakes, vm);
        if (registry_retire(reload->fleet->registry, vm) == 0)
            vm_leave(vm, on_left, reload->fleet->registry);
        else
            (void)vm_free(vm);
    }
}

/* The VM of that UUID is another machine now: what the old one knew is in the store. */
static struct vm *make_anew(struct reload *reload, struct settings *settings,
                            const struct config_vm *config, struct vm *old)
{
    struct vm *vm;
    int r;

    handshakes_forget(reload->handshakes, old);
    (void)vm_free(old);
    r = vm_new(&reload->fleet->services, settings, config, &vm);
    if (r >= 0)
        return vm;
    log_line(LOG_ERR, "cannot recreate vm %s: %s; will retry on the next reload", config->name,
             strerrordesc_np(-r));
    return NULL;
}

/* From the first VM that goes on, the registry names some that are gone: it is not asked. */
static void change(struct reload *reload, struct settings *settings, struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++) {
        const struct config_vm *config = &settings->config->vms[i];
        struct vm *vm = plan->vms[i];

        if (plan->fates[i] == PLAN_ANEW)
            vm = make_anew(reload, settings, config, vm);
        else if (plan->fates[i] == PLAN_KEPT && config_vm_equal(vm_config(vm), config))
            vm_rebase(vm, settings, config);
        else if (plan->fates[i] == PLAN_KEPT)
            vm_change(vm, settings, config);
        if (vm)
            plan->vms[count++] = vm;
    }
    plan->count = count;
}

/* What stays as it is until the daemon is started again. */
static void tell_unchangeable(const struct config *old, const struct config *new)
{
    if (!config_text_equal(old->control, new->control) ||
        !config_text_equal(old->control_group, new->control_group) ||
        !config_text_equal(old->metrics, new->metrics) ||
        !config_text_equal(old->state_dir, new->state_dir))
        log_line(LOG_WARNING,
                 "%s: control, control_group, metrics and state_dir take effect when the daemon "
                 "restarts; keeping the old ones",
                 new->file);
}

static void commit(struct reload *reload, struct settings *settings, struct plan *plan)
{
    struct settings *old = reload->fleet->settings;

    tell_unchangeable(old->config, settings->config);
    reload->fleet->services.config = settings->config;
    reload->fleet->settings = settings;
    telemetry_reopen(reload->fleet->services.telemetry, &settings->config->telemetry);
    retire(reload, settings->config);
    change(reload, settings, plan);
    registry_replace(reload->fleet->registry, plan->vms, plan->count);
    plan_done(plan);
    (void)doors_update(reload->doors);
    (void)settings_unref(old);
}

int reload_run(struct reload *reload)
{
    const char *file = reload->fleet->settings->config->file;
    struct settings *settings;
    struct config *config;
    struct plan plan;
    int r;

    r = config_load(file, on_warning, on_error, reload, &config);
    if (r != 0) {
        log_line(LOG_ERR, "cannot reload %s; keeping the previous configuration", file);
        reload->fleet->services.counters.reloads_refused++;
        return r;
    }
    if (reload->discovery)
        discovery_add(reload->discovery, config, on_warning, reload);
    settings = settings_new(config);
    if (!settings)
        return -ENOMEM;
    r = plan_make(reload, settings, &plan);
    if (r < 0) {
        (void)settings_unref(settings);
        return r;
    }
    commit(reload, settings, &plan);
    if (reload->discovery && discovery_follow(reload->discovery, settings->config) < 0)
        log_line(LOG_WARNING, "cannot look for domains of libvirt's: out of memory");
    reload->fleet->services.counters.reloads++;
    log_line(LOG_INFO, "reloaded %s", settings->config->file);
    return 0;
}
