/* jail rights: limits, capabilities and system calls of what runs in a jail. */
#include "jail_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a thread, where the program does not say it itself: enough for what calls no foreign code. */
#define STACK_BYTES (UINT64_C(1) << 20)

/* What is in no list is answered as a kernel does that has no such call, so that a newer C library
 * takes the older one. */
#define UNKNOWN SCMP_ACT_ERRNO(ENOSYS)

/* clone(2): a thread, in the same namespaces. */
#define CLONE_MASK                                                                                 \
    (CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |  \
     CLONE_NEWPID | CLONE_NEWNET)

/* By its number, not 0 for itself: the filter is there already (see allow()). */
static int limit(__rlimit_resource_t resource, uint64_t value)
{
    const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    struct rlimit now;

    /* what is lower already stays so */
    if (prlimit(0, resource, NULL, &now) == 0 && now.rlim_max <= value)
        return 0;
    return prlimit(getpid(), resource, &limit, NULL) < 0 ? -errno : 0;
}

static int set_limits(const struct jail *jail)
{
    int r = limit(RLIMIT_CORE, 0);

    if (r == 0 && jail->memory > 0)
        r = limit(RLIMIT_STACK, STACK_BYTES);
    if (r == 0 && jail->memory > 0)
        r = limit(RLIMIT_DATA, jail->memory);
    return r < 0 || jail->files == 0 ? r : limit(RLIMIT_NOFILE, jail->files);
}

/* execve(2) gives root what the bounding set holds; capabilities(7). */
static int set_capabilities(uint64_t wanted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        if (!(wanted & JAIL_CAPABILITY(i)) && prctl(PR_CAPBSET_DROP, i) < 0)
            return -errno;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t part = (uint32_t)(wanted >> 32 * i);

        data[i] = (struct __user_cap_data_struct){.effective = part, .permitted = part};
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
                   syscall(SYS_capset, &header, data) < 0
               ? -errno
               : 0;
}

/* mknod(2): what is no device. @param argument  the one that holds the mode */
static int allow_nodes(scmp_filter_ctx filter, int call, unsigned argument)
{
    static const mode_t types[] = {0, S_IFREG, S_IFIFO, S_IFSOCK}, devices[] = {S_IFCHR, S_IFBLK};
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(types) / sizeof(types[0]); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                             SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, S_IFMT, types[i]));
    for (size_t i = 0; r == 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                             SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, S_IFMT, devices[i]));
    return r;
}

/* What a program that sets its limits (of process 0: itself) is answered: nothing can raise them,
 * and diod ends if it is told so. */
static int allow_limits(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, 0, 0), other = SCMP_A0(SCMP_CMP_NE, 0, 0);
    int r;

    r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), 2, self,
                         SCMP_A2(SCMP_CMP_NE, 0, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, self,
                             SCMP_A2(SCMP_CMP_EQ, 0, 0));
    return r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, other);
}

static int allow(scmp_filter_ctx filter, const char *name, bool own_users)
{
    int call = seccomp_syscall_resolve_name(name);

    if (call < 0) /* another machine's, or newer than the library */
        return 0;
    if (call == SCMP_SYS(clone))
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_MASK, CLONE_THREAD));
    if (call == SCMP_SYS(mmap)) /* shared memory is not counted as the process's data */
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, 0));
    if (call == SCMP_SYS(mknod))
        return allow_nodes(filter, call, 1);
    if (call == SCMP_SYS(mknodat))
        return allow_nodes(filter, call, 2);
    if (call == SCMP_SYS(setrlimit) || (call == SCMP_SYS(setgroups) && own_users))
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), call, 0);
    return call == SCMP_SYS(prlimit64) ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int allow_all(scmp_filter_ctx filter, const char *calls, bool own_users)
{
    char *names = strdup(calls), *rest = NULL;
    int r = names ? allow_limits(filter) : -ENOMEM;

    if (r == 0)
        r = allow(filter, "execve", own_users); /* of the program itself */
    for (char *name = names ? strtok_r(names, " ", &rest) : NULL; r == 0 && name;
         name = strtok_r(NULL, " ", &rest))
        r = allow(filter, name, own_users);
    free(names);
    return r;
}

/*
 * Sockets of a program that has the host's network: the internet's, and to ask for routes. Others
 * lead to programs of the host (abstract Unix sockets) and to its guests (vsock), or are more code
 * of the kernel's. io_uring opens sockets without socket(2).
 */
static int refuse_families(scmp_filter_ctx filter)
{
    static const unsigned allowed[] = {AF_INET, AF_INET6, AF_NETLINK};
    const uint32_t refused = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    unsigned family = 0;
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++, family++)
        for (; r == 0 && family < allowed[i]; family++)
            r = seccomp_rule_add(filter, refused, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, family, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, refused, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GE, family, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, refused, SCMP_SYS(socket), 2,
                             SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
                             SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0));
    return r;
}

/*
 * A program that was stopped (relay/freeze.h) must not have left a signal for itself with the
 * kernel that lets it go on, or ends a child of it. The signal of a timer and of a queue is not
 * seen here. A descriptor's is SIGIO without F_SETSIG, also that of a lease and of a directory.
 * That a parent's end sends SIGTERM is what QEMU's virtiofsd wants.
 */
static int refuse_waking(scmp_filter_ctx filter)
{
    const uint32_t refused = SCMP_ACT_ERRNO(EPERM);
    int r = seccomp_rule_add(filter, refused, SCMP_SYS(timer_create), 0);

    if (r == 0)
        r = seccomp_rule_add(filter, refused, SCMP_SYS(mq_notify), 0);
    if (r == 0) /* of the command the kernel looks at 32 bits */
        r = seccomp_rule_add(filter, refused, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_SETSIG));
    if (r == 0)
        r = seccomp_rule_add(filter, refused, SCMP_SYS(prctl), 2,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, PR_SET_PDEATHSIG),
                             SCMP_A1(SCMP_CMP_EQ, SIGCONT, 0));
    return r;
}

/* Also sets no_new_privs. A program with its own filter is only told what allow() tells the
 * others of setgroups(2), which sockets there are, and that nothing will wake it. */
static int set_calls(const struct jail *jail, bool own_users)
{
    scmp_filter_ctx filter = seccomp_init(jail->calls ? UNKNOWN : SCMP_ACT_ALLOW);
    int r = filter ? 0 : -ENOMEM;

    if (r == 0 && jail->calls)
        r = allow_all(filter, jail->calls, own_users);
    else if (r == 0 && own_users)
        r = allow(filter, "setgroups", own_users);
    if (r == 0 && !jail->calls)
        r = refuse_waking(filter);
    if (r == 0 && jail->network && !jail->calls)
        r = refuse_families(filter);
    if (r == 0)
        r = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return r;
}

int jail_shed_rights(const struct jail *jail, bool own_users, const char **ret_step)
{
    int r;

    *ret_step = "its capabilities";
    r = set_capabilities(jail->capabilities);
    if (r < 0)
        return r;
    *ret_step = "the filter of its system calls";
    r = set_calls(jail, own_users);
    if (r < 0)
        return r;
    *ret_step = "its limits"; /* last: libseccomp and sanitizers allocate more than a jail has */
    return set_limits(jail);
}
