/* process_group: who is signaled, with control groups and without. */
#include "descriptors.h"
#include "init/process/process_group.h"
#include "kmsg_played.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct processes processes;
static struct process *const command = &processes.table[0];

static int tree;      /* what cgroup_open() gives */
static int kills_ok;  /* how many of the next calls of kill() succeed */
static char did[256]; /* each call in turn */

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t used = strlen(did);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(did + used, sizeof(did) - used, format, arguments);
    va_end(arguments);
}

static void expect(const char *calls)
{
    assert_string_equal(did, calls);
    did[0] = '\0';
}

int __wrap_cgroup_open(void);
int __wrap_cgroup_open(void)
{
    return tree;
}

int __wrap_cgroup_kill(int group_tree, const char *name);
int __wrap_cgroup_kill(int group_tree, const char *name)
{
    note("end %d/%s;", group_tree, name);
    return 0;
}

void __wrap_cgroup_signal(int group_tree, const char *name, pid_t reached, int number);
void __wrap_cgroup_signal(int group_tree, const char *name, pid_t reached, int number)
{
    note("signal %d/%s but %d: %d;", group_tree, name, (int)reached, number);
}

void __wrap_cgroup_remove(int group_tree, const char *name);
void __wrap_cgroup_remove(int group_tree, const char *name)
{
    note("remove %d/%s;", group_tree, name);
}

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
    note("kill %d: %d;", (int)pid, number);
    if (kills_ok-- > 0)
        return 0;
    errno = ESRCH;
    return -1;
}

static int set_up(void **state)
{
    (void)state;
    memset(&processes, 0, sizeof(processes));
    command->owner = &processes;
    command->pid = 4321;
    command->number = 7;
    command->role = REQUEST_ROLE_COMMAND;
    did[0] = kmsg_played[0] = '\0';
    kills_ok = 1;
    return 0;
}

static void a_group_has_its_programs_name(void **state)
{
    char name[CGROUP_NAME_SIZE];

    (void)state;
    assert_string_equal(process_group_name(command, name), "exec-7");
    command->number = UINT32_MAX;
    assert_string_equal(process_group_name(command, name), "exec-4294967295");
    command->role = REQUEST_ROLE_PAYLOAD;
    assert_string_equal(process_group_name(command, name), "payload");
}

static void a_kernel_without_control_groups_is_logged_with_its_reason(void **state)
{
    static const struct {
        int error;
        const char *reason;
    } cases[] = {{ENODEV, "this kernel has none"},
                 {ENOSYS, "this kernel has none"},
                 {EPERM, "Operation not permitted"}};
    char line[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tree = -cases[i].error;
        process_group_open_tree(&processes);
        assert_int_equal(processes.cgroups, -1);
        (void)snprintf(line, sizeof(line),
                       "5 cannot use cgroup2: %s; programs have no control groups, and signals "
                       "reach only their process groups\n",
                       cases[i].reason);
        kmsg_expect(line);
    }
    tree = 9;
    process_group_open_tree(&processes);
    assert_int_equal(processes.cgroups, 9);
    kmsg_expect("");
}

/* SIGKILL takes all of the control group at once; another signal reaches those of other process
 * groups one by one. */
static void a_control_group_is_signaled_and_the_process_group(void **state)
{
    (void)state;
    processes.cgroups = 9;
    assert_int_equal(process_group_signal(command, SIGTERM), 0);
    expect("signal 9/exec-7 but 4321: 15;kill -4321: 15;");
    kills_ok = 1;
    assert_int_equal(process_group_signal(command, SIGKILL), 0);
    expect("end 9/exec-7;kill -4321: 9;");
    process_group_end(command);
    expect("end 9/exec-7;");
    process_group_remove(command);
    expect("remove 9/exec-7;");
}

static void without_control_groups_the_process_group_has_to_do(void **state)
{
    static const int trees[] = {-1, 0}; /* none, and not opened yet */

    (void)state;
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        processes.cgroups = trees[i];
        kills_ok = 3;
        assert_int_equal(process_group_signal(command, SIGTERM), 0);
        assert_int_equal(process_group_signal(command, SIGKILL), 0);
        expect("kill -4321: 15;kill -4321: 9;");
        process_group_end(command);
        expect("kill -4321: 9;");
        process_group_remove(command);
        expect("");
    }
}

/* A child that has not called setsid() yet leads no process group. */
static void one_that_leads_no_group_yet_is_signaled_itself(void **state)
{
    (void)state;
    processes.cgroups = -1;
    kills_ok = 0;
    assert_int_equal(process_group_signal(command, SIGTERM), -ESRCH);
    expect("kill -4321: 15;kill 4321: 15;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_group_has_its_programs_name, set_up),
        cmocka_unit_test_setup(a_kernel_without_control_groups_is_logged_with_its_reason, set_up),
        cmocka_unit_test_setup(a_control_group_is_signaled_and_the_process_group, set_up),
        cmocka_unit_test_setup(without_control_groups_the_process_group_has_to_do, set_up),
        cmocka_unit_test_setup(one_that_leads_no_group_yet_is_signaled_itself, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
