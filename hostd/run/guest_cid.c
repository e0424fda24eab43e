/* guest CID: set once, and sealed by a system call filter. */
#include "guest_cid.h"

#include <errno.h>
#include <linux/vhost.h>
#include <seccomp.h>
#include <sys/ioctl.h>

int guest_cid_set(int fd, uint32_t cid)
{
    uint64_t wide = cid;

    return ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &wide) < 0 ? -errno : 0;
}

int guest_cid_seal(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r;

    if (!filter)
        return -ENOMEM;
    /* Errno 0: the call is not made, and succeeds. The kernel looks at 32 bits of the request. */
    r = seccomp_rule_add(
        filter, SCMP_ACT_ERRNO(0), SCMP_SYS(ioctl), 1,
        SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)VHOST_VSOCK_SET_GUEST_CID));
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}
