/*
 * process_group: everything that a program started, to signal and to end: its control group, and
 * its process group where the kernel has no cgroup2.
 */
#ifndef GUESTLINK_INIT_PROCESS_GROUP_H
#define GUESTLINK_INIT_PROCESS_GROUP_H

#include "cgroup.h"
#include "process.h"

/* Opens the tree of the control groups; logs once that there is none. */
void process_group_open_tree(struct processes *processes);

/* The name of its control group: a payload has the same each time that it is started. */
const char *process_group_name(const struct process *process, char name[CGROUP_NAME_SIZE]);

/* Signals all of it. @return 0 or a negative errno */
int process_group_signal(const struct process *process, int number);

/* Kills what a program that exited left, which would be in the way of the next one. */
void process_group_end(const struct process *process);

/* Removes the control group. */
void process_group_remove(const struct process *process);

#endif
