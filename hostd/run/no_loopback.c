/*
 * guestlink-no-loopback: keeps the processes of the cgroup that it runs in from the host's own
 * addresses.
 *
 *   guestlink-no-loopback [--host-loopback] [--publish PORTS] [NAME-SERVER]...
 *                         [-- PROGRAM [ARGUMENT]...]
 *
 *   --host-loopback: keeps them from link-local addresses alone
 *   --publish: at which clients on this host may call these processes: "8080/tcp,53/udp"
 *   NAME-SERVER: an address whose port 53 is spared, for the host's resolver may be its own
 *   PROGRAM: a path; what it becomes then
 *
 * QEMU's user-mode network, or passt, makes a guest's connections its own, so that programs of the
 * guest would reach what listens on every address of the host, 127.0.0.1 (10.0.2.2, to the guest)
 * included. From here on such packets are dropped (own_filter.h), for whatever runs in this
 * process's cgroup and for as long as the cgroup exists.
 *
 * guestlink-vm@.service runs it as root before there is a QEMU, guestlink-launch@.service as what
 * becomes the relay of a passt. Exit status 0: so it is; 1: it could not be done, and stderr says
 * why; 127: the program could not be executed.
 */
#include "base/streams.h"
#include "own_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOT_FOUND    127
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Noreturn static void fail(const char *what, int error)
{
    fprintf(stderr,
            "guestlink-no-loopback: cannot %s: %s; programs of the guest could reach this host's "
            "own addresses. If they may, set \"host_loopback\": true for the VM's adapter\n",
            what, strerrordesc_np(error));
    exit(EXIT_FAILURE);
}

static int call_bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static void attach(const struct own_filter *filter, int cgroup)
{
    struct bpf_insn program[OWN_FILTER_SIZE];
    enum bpf_attach_type where =
        filter->incoming ? BPF_CGROUP_INET_INGRESS : BPF_CGROUP_INET_EGRESS;
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_CGROUP_SKB,
        .insns = (uint64_t)(uintptr_t)program,
        .insn_cnt = (uint32_t)own_filter_build(filter, program),
        .license = (uint64_t)(uintptr_t) "MIT",
        .expected_attach_type = where,
    };
    int loaded = call_bpf(BPF_PROG_LOAD, &attributes);

    if (loaded < 0)
        fail("load the filter", errno);
    attributes = (union bpf_attr){.attach_type = where, .attach_flags = BPF_F_ALLOW_MULTI};
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)loaded;
    if (call_bpf(BPF_PROG_ATTACH, &attributes) < 0)
        fail("attach the filter to this process's cgroup", errno);
    (void)close(loaded);
}

/* This process's folder in the unified hierarchy, which a host with two has below the usual place.
 * @return a descriptor or -errno */
static int open_cgroup(void)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
    FILE *stream = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX], path[2 * PATH_MAX];
    int fd = -ENOENT;

    if (!stream)
        return -errno;
    while (fd < 0 && fgets(line, sizeof(line), stream)) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < COUNT(mounts) && fd < 0 && strncmp(line, "0::", 3) == 0; i++) {
            (void)snprintf(path, sizeof(path), "%s%s", mounts[i], line + 3);
            fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
    }
    (void)fclose(stream);
    return fd < 0 ? -ENOENT : fd;
}

int main(int argc, char *argv[])
{
    struct own_filter filter = {.own_addresses = true};
    int cgroup, i = 1;

    if (streams_open() < 0)
        return EXIT_FAILURE;
    if (i < argc && strcmp(argv[i], "--host-loopback") == 0) {
        filter.own_addresses = false;
        i++;
    }
    if (i + 1 < argc && strcmp(argv[i], "--publish") == 0) {
        if (!own_filter_add_ports(&filter, argv[i + 1]))
            fprintf(stderr,
                    "guestlink-no-loopback: cannot use the ports \"%s\": expected at most %u such "
                    "as 8080/tcp,53/udp; the others cannot be called from this host\n",
                    argv[i + 1], OWN_FILTER_PORTS);
        i += 2;
    }
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (!own_filter_add_server(&filter, argv[i]))
            fprintf(
                stderr,
                "guestlink-no-loopback: cannot use the name server \"%s\": expected an address, "
                "and at most %u of them; if it is this host's own, the guest cannot ask it\n",
                argv[i], OWN_FILTER_SERVERS);
    }
    cgroup = open_cgroup();
    if (cgroup < 0)
        fail("find this process's cgroup", -cgroup);
    attach(&filter, cgroup);
    filter.incoming = true;
    attach(&filter, cgroup);
    (void)close(cgroup);
    if (i + 1 >= argc)
        return EXIT_SUCCESS;
    (void)execv(argv[i + 1], argv + i + 1);
    fprintf(stderr, "guestlink-no-loopback: cannot execute \"%s\": %s\n", argv[i + 1],
            strerrordesc_np(errno));
    return NOT_FOUND;
}
