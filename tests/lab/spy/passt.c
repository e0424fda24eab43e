/*
 * spy passt: what is passt's alone. It shuts itself in and closes what it does not know: none of
 * that is to be what holds, so it is told that each of it worked. It offers QEMU whatever could
 * have memory come another way.
 */
#include "spy.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The jail's empty folder. */
#define FOLDER "/tmp"

/* vhost-user's. */
#define HEADER_SIZE           12u
#define VERSION               1u
#define REPLY                 4u
#define GET_PROTOCOL_FEATURES 15u
#define GET_INFLIGHT_FD       31u
#define BACKEND_IOTLB_MSG     1u
#define BACKEND_SHMEM_MAP     9u
/* LOG_SHMFD, SLAVE_REQ, PAGEFAULT, SLAVE_SEND_FD, INFLIGHT_SHMFD, CONFIGURE_MEM_SLOTS, XEN_MMAP,
 * SHARED_OBJECT, DEVICE_STATE */
#define ALL_WAYS                                                                                   \
    (1u << 1 | 1u << 5 | 1u << 8 | 1u << 10 | 1u << 12 | 1u << 15 | 1u << 17 | 1u << 18 | 1u << 19)

/* ---- its sandbox */

int prctl(int option, ...)
{
    int (*real)(int, ...) = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
    unsigned long words[4];
    va_list list;

    va_start(list, option);
    for (size_t i = 0; i < 4; i++)
        words[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP || option == PR_CAPBSET_DROP || option == PR_CAP_AMBIENT)
        return 0;
    return real(option, words[0], words[1], words[2], words[3]);
}

long syscall(long number, ...)
{
    long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long words[6];
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_capset || number == SYS_pivot_root || number == SYS_close_range)
        return 0;
    return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

int unshare(int flags)
{
    (void)flags;
    return 0;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data)
{
    (void)source, (void)target, (void)type, (void)flags, (void)data;
    return 0;
}

int umount2(const char *target, int flags)
{
    (void)target, (void)flags;
    return 0;
}

int setuid(uid_t user)
{
    (void)user;
    return 0;
}

int setgid(gid_t group)
{
    (void)group;
    return 0;
}

int setgroups(size_t size, const gid_t *groups)
{
    (void)size, (void)groups;
    return 0;
}

/* ---- what it tells QEMU */

static uint32_t answering; /* the request whose answer's payload comes next */

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t (*real)(int, const struct msghdr *, int) =
        (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");

    if (fd == spy.socket && message->msg_iovlen > 0)
        memcpy(&answering, message->msg_iov[0].iov_base, sizeof(answering));
    return real(fd, message, flags);
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    uint64_t features;

    if (fd != spy.socket || answering != GET_PROTOCOL_FEATURES || size != sizeof(features))
        return real(fd, data, size);
    memcpy(&features, data, sizeof(features));
    features |= ALL_WAYS;
    answering = 0;
    return real(fd, &features, size);
}

/* A message that nobody asked for, with a descriptor. */
static void forge(uint32_t request, uint32_t flags)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    uint32_t words[HEADER_SIZE / sizeof(uint32_t) + 10] = {request, flags, 10 * sizeof(uint32_t)};
    struct iovec part = {.iov_base = words, .iov_len = sizeof(words)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space)};
    int memory = memfd_create("spy", MFD_CLOEXEC);

    memcpy(CMSG_DATA(&control.header), &memory, sizeof(memory));
    spy_say("forged %u: %s\n", request,
            sendmsg(spy.socket, &envelope, MSG_NOSIGNAL) < 0 ? strerrordesc_np(errno) : "sent");
    (void)close(memory);
}

/* ---- its orders */

bool spy_is_ordered(void)
{
    char order;

    if (recv(spy.log, &order, 1, MSG_DONTWAIT) != 1)
        return false;
    if (order != SPY_FORGE)
        return true;
    forge(GET_INFLIGHT_FD, VERSION | REPLY);
    forge(BACKEND_IOTLB_MSG, VERSION);
    forge(BACKEND_SHMEM_MAP, VERSION);
    return false;
}

void spy_has_looked(void)
{
    spy_say("done\n");
}

/* To other programs of the host, and to its guests. */
static void try_socket(const char *name, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    spy_attempt(name, fd < 0 ? -errno : 0, "family %d", family);
    if (fd >= 0)
        (void)close(fd);
}

__attribute__((constructor)) static void begin(int argc, char *argv[])
{
    const struct sockaddr_in home = {
        .sin_family = AF_INET, .sin_port = htons(SPY_HOME), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    if (argc < 2 || strcmp(argv[1], "--vhost-user") != 0)
        return;
    spy.log = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(spy.log, (const struct sockaddr *)&home, sizeof(home)) < 0)
        return;
    spy.folder = open(FOLDER, O_PATH | O_DIRECTORY | O_CLOEXEC);
    spy_begin(argv[0]);
    try_socket("socket-unix", AF_UNIX);
    try_socket("socket-vsock", AF_VSOCK);
    try_socket("socket-packet", AF_PACKET);
}
