/* fleet: the VMs of the daemon, with what is lent to each and the configuration they come from. */
#include "fleet.h"

struct vm *fleet_find_vm(const struct fleet *fleet, const char *name)
{
    struct vm *vm = registry_find_name(fleet->registry, name);

    return vm ? vm : registry_find_id(fleet->registry, name);
}
