/* process_group: everything that a program started, to signal and to end. */
#include "process_group.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/kmsg_log.h"
#include "cgroup.h"

const char *process_group_name(const struct process *process, char name[CGROUP_NAME_SIZE])
{
    if (process->role == REQUEST_ROLE_PAYLOAD)
        (void)snprintf(name, CGROUP_NAME_SIZE, "payload");
    else
        (void)snprintf(name, CGROUP_NAME_SIZE, "exec-%u", process->number);
    return name;
}

void process_group_open_tree(struct processes *processes)
{
    int r = cgroup_open();

    processes->cgroups = r < 0 ? -1 : r;
    if (r < 0)
        kmsg_log(LOG_NOTICE,
                 "cannot use cgroup2: %s; programs have no control groups, and signals reach "
                 "only their process groups",
                 r == -ENODEV || r == -ENOSYS ? "this kernel has none" : strerror(-r));
}

int process_group_signal(const struct process *process, int number)
{
    char name[CGROUP_NAME_SIZE];
    int tree = process->owner->cgroups;

    if (tree > 0 && number == SIGKILL)
        (void)cgroup_kill(tree, process_group_name(process, name));
    else if (tree > 0)
        cgroup_signal(tree, process_group_name(process, name), process->pid, number);
    /* Before its setsid() it is not the leader of a group yet. */
    if (kill(-process->pid, number) < 0 && kill(process->pid, number) < 0)
        return -errno;
    return 0;
}

void process_group_end(const struct process *process)
{
    char name[CGROUP_NAME_SIZE];

    if (process->owner->cgroups > 0)
        (void)cgroup_kill(process->owner->cgroups, process_group_name(process, name));
    else
        (void)kill(-process->pid, SIGKILL); /* its own number may be another's by now */
}

void process_group_remove(const struct process *process)
{
    char name[CGROUP_NAME_SIZE];

    if (process->owner->cgroups > 0)
        cgroup_remove(process->owner->cgroups, process_group_name(process, name));
}
