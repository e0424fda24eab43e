/*
 * guestlink-no-loopback: keeps the processes of its own cgroup from the host's own addresses.
 *
 * QEMU's user-mode network makes a guest's connections its own, so that programs of the guest would
 * reach what listens on the host's 127.0.0.1 (10.0.2.2, to the guest) and on every other address of
 * the host. All of that leaves by the loopback interface: from here on what does is dropped, for
 * whatever runs in this process's cgroup and for as long as the cgroup exists. Name servers at port
 * 53 are spared, for the host's resolver may be one of its own.
 *
 * guestlink-vm@.service runs it as root before there is a QEMU. Exit status 0: so it is; 1: it
 * could not be done, and stderr says why.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of every network namespace. */
#define LOOPBACK_INDEX 1
#define DNS_PORT       53
/* Of IPv4's header and IPv6's. */
#define IP4_PROTOCOL 9
#define IP6_NEXT     6
#define IP6_SIZE     40
/* Of TCP's header and UDP's. */
#define DESTINATION_PORT 2

#define VERDICT_DROP  0
#define VERDICT_ALLOW 1

/* One instruction; `to` and `by` are registers. */
#define SET(to, number)                                                                            \
    {                                                                                              \
        BPF_ALU64 | BPF_MOV | BPF_K, (to), 0, 0, (number)                                          \
    }
#define COPY(to, by)                                                                               \
    {                                                                                              \
        BPF_ALU64 | BPF_MOV | BPF_X, (to), (by), 0, 0                                              \
    }
#define MATH(op, to, number)                                                                       \
    {                                                                                              \
        BPF_ALU64 | (op) | BPF_K, (to), 0, 0, (number)                                             \
    }
#define LOAD(size, to, by, offset)                                                                 \
    {                                                                                              \
        BPF_LDX | BPF_MEM | (size), (to), (by), (offset), 0                                        \
    }
#define SKIP(count)                                                                                \
    {                                                                                              \
        BPF_JMP | BPF_JA, 0, 0, (count), 0                                                         \
    }
#define SKIP_IF(op, by, number, count)                                                             \
    {                                                                                              \
        BPF_JMP | (op) | BPF_K, (by), 0, (count), (number)                                         \
    }
#define CALL(function)                                                                             \
    {                                                                                              \
        BPF_JMP | BPF_CALL, 0, 0, 0, (function)                                                    \
    }
#define RETURN                                                                                     \
    {                                                                                              \
        BPF_JMP | BPF_EXIT, 0, 0, 0, 0                                                             \
    }
/* Jumps to the end of the filter, where the verdicts are: resolve() makes them such. */
#define TO_DROP  INT16_MAX
#define TO_ALLOW (INT16_MAX - 1)

/* From the packet (register 6) at the offset in register 2 to the stack; one too short is dropped.
 */
#define BUFFER (-8)
#define READ_PACKET(size)                                                                          \
    COPY(BPF_REG_1, BPF_REG_6), COPY(BPF_REG_3, BPF_REG_10), MATH(BPF_ADD, BPF_REG_3, BUFFER),     \
        SET(BPF_REG_4, (size)), CALL(BPF_FUNC_skb_load_bytes),                                     \
        SKIP_IF(BPF_JNE, BPF_REG_0, 0, TO_DROP)

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

/* The last four instructions are the verdicts, two each: allow, then drop. */
static void resolve(struct bpf_insn *filter, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (filter[i].off == TO_ALLOW)
            filter[i].off = (int16_t)(count - 4 - i - 1);
        else if (filter[i].off == TO_DROP)
            filter[i].off = (int16_t)(count - 2 - i - 1);
    }
}

static int load_filter(void)
{
    struct bpf_insn filter[] = {
        COPY(BPF_REG_6, BPF_REG_1),
        LOAD(BPF_W, BPF_REG_0, BPF_REG_6, offsetof(struct __sk_buff, ifindex)),
        SKIP_IF(BPF_JNE, BPF_REG_0, LOOPBACK_INDEX, TO_ALLOW),
        /* The first byte: the version and, of IPv4, the length of its header in words. */
        SET(BPF_REG_2, 0),
        READ_PACKET(1),
        LOAD(BPF_B, BPF_REG_7, BPF_REG_10, BUFFER),
        COPY(BPF_REG_8, BPF_REG_7),
        MATH(BPF_RSH, BPF_REG_8, 4),
        SKIP_IF(BPF_JEQ, BPF_REG_8, 6, 4),
        MATH(BPF_AND, BPF_REG_7, 15),
        MATH(BPF_LSH, BPF_REG_7, 2),
        SET(BPF_REG_2, IP4_PROTOCOL),
        SKIP(2),
        SET(BPF_REG_7, IP6_SIZE),
        SET(BPF_REG_2, IP6_NEXT),
        /* Register 7 has the header's size now, register 2 where the protocol is in it. */
        READ_PACKET(1),
        LOAD(BPF_B, BPF_REG_8, BPF_REG_10, BUFFER),
        SKIP_IF(BPF_JEQ, BPF_REG_8, IPPROTO_TCP, 1),
        SKIP_IF(BPF_JNE, BPF_REG_8, IPPROTO_UDP, TO_DROP),
        COPY(BPF_REG_2, BPF_REG_7),
        MATH(BPF_ADD, BPF_REG_2, DESTINATION_PORT),
        READ_PACKET(2),
        LOAD(BPF_H, BPF_REG_8, BPF_REG_10, BUFFER),
        SKIP_IF(BPF_JNE, BPF_REG_8, htons(DNS_PORT), TO_DROP),
        SET(BPF_REG_0, VERDICT_ALLOW),
        RETURN,
        SET(BPF_REG_0, VERDICT_DROP),
        RETURN,
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_CGROUP_SKB,
        .insns = (uint64_t)(uintptr_t)filter,
        .insn_cnt = COUNT(filter),
        .license = (uint64_t)(uintptr_t) "MIT",
        .expected_attach_type = BPF_CGROUP_INET_EGRESS,
    };

    resolve(filter, COUNT(filter));
    return call_bpf(BPF_PROG_LOAD, &attributes);
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

int main(void)
{
    int filter = load_filter(), cgroup;
    union bpf_attr attributes = {.attach_type = BPF_CGROUP_INET_EGRESS,
                                 .attach_flags = BPF_F_ALLOW_MULTI};

    if (filter < 0)
        fail("load the filter", errno);
    cgroup = open_cgroup();
    if (cgroup < 0)
        fail("find this process's cgroup", -cgroup);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)filter;
    if (call_bpf(BPF_PROG_ATTACH, &attributes) < 0)
        fail("attach the filter to this process's cgroup", errno);
    return EXIT_SUCCESS;
}
