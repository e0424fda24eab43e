/* udmabuf: a part of a memory file as a separate file. */
#include "udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define DEVICE "/dev/udmabuf"
#define LIMIT  "/sys/module/udmabuf/parameters/size_limit_mb"

/* drivers/dma-buf/udmabuf.c: size_limit_mb */
#define DEFAULT_LIMIT_MB 64

#define MB UINT64_C(1048576)

static const struct {
    int error;
    const char *text;
} obstacles[] = {
    {ENOENT, "this host's kernel has no " DEVICE ": load its module udmabuf, or use a kernel that "
             "has it (Debian 12: linux-image-6.12-cloud-amd64)"},
    {ENODEV, DEVICE " has no driver: load the kernel's module udmabuf"},
    {ENXIO, DEVICE " has no driver: load the kernel's module udmabuf"},
    {EACCES,
     DEVICE " cannot be opened: let guestlink-launch@.service open it, as its unit file does"},
    {EBADF, "the VM's memory is not a memfd: start QEMU with -object "
            "memory-backend-memfd,share=on"},
    {EPERM, "the VM's memory is not sealed: start QEMU with -object memory-backend-memfd,share=on "
            "without seal=off"},
    {EMEDIUMTYPE, "this kernel cannot make a dma-buf of such memory: use memory-backend-memfd "
                  "without hugetlb, or a kernel of 6.9 or later"},
    {ENOTTY, DEVICE " is not the kernel's udmabuf"},
};

int udmabuf_open(void)
{
    int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0 && errno == EPERM) /* by a control group's list of devices */
        return -EACCES;
    return fd < 0 ? -errno : fd;
}

uint64_t udmabuf_limit(void)
{
    FILE *file = fopen(LIMIT, "re");
    int limit = 0;

    if (file) {
        if (fscanf(file, "%d", &limit) != 1) /* NOLINT(cert-err34-c): 0 then */
            limit = 0;
        (void)fclose(file);
    }
    return (uint64_t)(limit > 0 ? limit : DEFAULT_LIMIT_MB) * MB;
}

int udmabuf_make(int device, int memory, uint64_t offset, uint64_t size)
{
    struct udmabuf_create create = {
        .memfd = (uint32_t)memory, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = offset, .size = size};
    int seals = fcntl(memory, F_GET_SEALS), fd;

    if (seals < 0)
        return -EBADF;
    if (!(seals & F_SEAL_SHRINK))
        return -EPERM;
    fd = ioctl(device, UDMABUF_CREATE, &create);
    if (fd >= 0)
        return fd;
    return errno == EINVAL || errno == EBADFD ? -EMEDIUMTYPE : -errno;
}

const char *udmabuf_obstacle(int error)
{
    for (size_t i = 0; i < sizeof(obstacles) / sizeof(obstacles[0]); i++)
        if (obstacles[i].error == -error)
            return obstacles[i].text;
    return NULL;
}
