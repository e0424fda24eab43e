/*
 * registry: the VMs of the daemon.
 *
 * Three arrays, each sorted by its key: looking one of 1,000 VMs up takes ten comparisons, and they
 * change only when the configuration does.
 */
#include "registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct registry {
    struct vm **vms; /* in the order of the configuration */
    struct vm **by_name;
    struct vm **by_id;
    struct vm **by_cid;
    size_t count;
    size_t room; /* of each array */
    struct retired {
        struct retired *next;
        struct vm *vm;
    } * retired;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(vm_config(*(struct vm *const *)a)->name, vm_config(*(struct vm *const *)b)->name);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(vm_config(*(struct vm *const *)a)->id, vm_config(*(struct vm *const *)b)->id);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_cids(const void *a, const void *b)
{
    return compare_numbers(vm_config(*(struct vm *const *)a)->cid,
                           vm_config(*(struct vm *const *)b)->cid);
}

static int find_name(const void *key, const void *item)
{
    return strcmp(key, vm_config(*(struct vm *const *)item)->name);
}

static int find_id(const void *key, const void *item)
{
    return strcmp(key, vm_config(*(struct vm *const *)item)->id);
}

static int find_cid(const void *key, const void *item)
{
    return compare_numbers(*(const uint32_t *)key, vm_config(*(struct vm *const *)item)->cid);
}

struct registry *registry_new(void)
{
    return calloc(1, sizeof(struct registry));
}

struct registry *registry_free(struct registry *registry)
{
    if (!registry)
        return NULL;
    for (size_t i = 0; i < registry->count; i++)
        (void)vm_free(registry->vms[i]);
    while (registry->retired)
        registry_forget_retired(registry, registry->retired->vm);
    free(registry->vms);
    free(registry->by_name);
    free(registry->by_id);
    free(registry->by_cid);
    free(registry);
    return NULL;
}

static int grow(struct vm ***array, size_t room)
{
    struct vm **grown = reallocarray(*array, room, sizeof(struct vm *));

    if (!grown)
        return -ENOMEM;
    *array = grown;
    return 0;
}

int registry_reserve(struct registry *registry, size_t count)
{
    int r;

    if (count <= registry->room)
        return 0;
    r = grow(&registry->vms, count);
    r = r < 0 ? r : grow(&registry->by_name, count);
    r = r < 0 ? r : grow(&registry->by_id, count);
    r = r < 0 ? r : grow(&registry->by_cid, count);
    if (r >= 0)
        registry->room = count;
    return r;
}

static void fill(struct vm **array, struct vm *const *vms, size_t count,
                 int (*compare)(const void *, const void *))
{
    memcpy(array, vms, count * sizeof(struct vm *));
    if (compare)
        qsort(array, count, sizeof(struct vm *), compare);
}

void registry_replace(struct registry *registry, struct vm *const *vms, size_t count)
{
    registry->count = count;
    if (count == 0)
        return;
    fill(registry->vms, vms, count, NULL);
    fill(registry->by_name, vms, count, compare_names);
    fill(registry->by_id, vms, count, compare_ids);
    fill(registry->by_cid, vms, count, compare_cids);
}

int registry_retire(struct registry *registry, struct vm *vm)
{
    struct retired *retired = malloc(sizeof(*retired));

    if (!retired)
        return -ENOMEM;
    *retired = (struct retired){.next = registry->retired, .vm = vm};
    registry->retired = retired;
    return 0;
}

struct vm *registry_find_retired(const struct registry *registry, const char *id)
{
    for (const struct retired *r = registry->retired; r; r = r->next) {
        if (strcmp(vm_config(r->vm)->id, id) == 0)
            return r->vm;
    }
    return NULL;
}

void registry_forget_retired(struct registry *registry, struct vm *vm)
{
    struct retired **position = &registry->retired;
    struct retired *retired;

    if (!vm)
        return;
    while ((*position)->vm != vm)
        position = &(*position)->next;
    retired = *position;
    *position = retired->next;
    (void)vm_free(retired->vm);
    free(retired);
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

struct vm *registry_get(const struct registry *registry, size_t index)
{
    return registry->vms[index];
}

static struct vm *find(const struct registry *registry, struct vm **items, const void *key,
                       int (*compare)(const void *, const void *))
{
    struct vm **found;

    if (registry->count == 0)
        return NULL;
    found = bsearch(key, items, registry->count, sizeof(struct vm *), compare);
    return found ? *found : NULL;
}

struct vm *registry_find_name(const struct registry *registry, const char *name)
{
    return find(registry, registry->by_name, name, find_name);
}

struct vm *registry_find_id(const struct registry *registry, const char *id)
{
    return find(registry, registry->by_id, id, find_id);
}

struct vm *registry_find_cid(const struct registry *registry, uint32_t cid)
{
    return cid == 0 ? NULL : find(registry, registry->by_cid, &cid, find_cid);
}
