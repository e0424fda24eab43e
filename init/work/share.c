/* share: directories of the host, mounted and unmounted. */
#include "share.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mountinfo.h"
#include "base/target.h"
#include "kernel_words.h"
#include "wait.h"

#define SHARE_FLAGS (MS_NOSUID | MS_NODEV)

/* Of a request, what is not its data. */
#define HEADER_PAGES 4

static unsigned long flags_of(const struct share_order *order)
{
    return (order->as_root ? 0ul : SHARE_FLAGS) | (order->read_only ? MS_RDONLY : 0ul);
}

/* Of judge_target(): no errno is. */
#define DONE (-1)

/* @return 0: not mounted there yet; DONE: it is; or a positive errno in the report */
static int judge_target(const struct share_order *order, struct report *report)
{
    struct mountinfo mount;

    if (target_check(order->target, report) != 0)
        return report->error;
    if (mountinfo_find(order->target, &mount) > 0) {
        if (strcmp(mount.type, order->by_9p ? "9p" : "virtiofs") == 0 &&
            strcmp(mount.source, order->tag) == 0)
            return DONE;
        if (!mountinfo_is_submount(&mount))
            return report_fail(report, EBUSY, "target '%.100s': %s '%.60s' is mounted there",
                               order->target, mount.type, mount.source);
    }
    if (mountinfo_find_share_below(order->target, &mount) > 0)
        return report_fail(report, EBUSY,
                           "target '%.100s': would hide %s '%.36s', which is mounted at '%.60s'",
                           order->target, mount.type, mount.source, mount.target);
    return 0;
}

/*
 * Of Linux 6.13 and later: a request's parts that lie behind each other are one mapping there, and
 * a pool takes no mapping beyond 256 KiB. The queue of the device bounds a request, too, but not
 * with QEMU 10, whose queues are long whatever it is told.
 */
static void bound_requests(void)
{
    static const char limit[] = "/proc/sys/fs/fuse/max_pages_limit";
    const long most = (256L << 10) / sysconf(_SC_PAGESIZE) - HEADER_PAGES;
    char text[16];

    if (fd_read_file(limit, text, sizeof(text)) < 0 || strtol(text, NULL, 10) <= most)
        return;
    (void)snprintf(text, sizeof(text), "%ld\n", most < 1 ? 1 : most);
    (void)fd_write_file(limit, text);
}

/*
 * Mounts it on what is at its target now: what was there when a wait began may be below another
 * mount since.
 *
 * @return 0, or a positive errno: of mount(2), or with the reason in @p report
 */
static int mount_now(const struct share_order *order, const char *options, struct report *report)
{
    FD_CLOSE int target_fd = -1;
    int error = judge_target(order, report);
    char path[64];

    if (error != 0)
        return error == DONE ? 0 : error;
    error = target_open(order->target, report, &target_fd);
    if (error != 0)
        return error;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", target_fd);
    if (order->bounces && !order->by_9p)
        bound_requests();
    return mount(order->tag, path, order->by_9p ? "9p" : "virtiofs", flags_of(order), options) < 0
               ? errno
               : 0;
}

static int fail_late(const struct share_order *order, int error, struct report *report)
{
    if (error == ENODEV)
        return report_fail(report, ENODEV, "virtiofs '%.36s': this kernel has no virtiofs%.155s",
                           order->tag, order->late->failed);
    return report_fail(report, ETIMEDOUT,
                       "virtiofs '%.36s': no device with this tag appeared "
                       "within %u ms",
                       order->tag, order->timeout_ms);
}

/* Mounts as soon as the device is there. */
static int mount_virtiofs(const struct share_order *order, struct report *report)
{
    WAIT_END struct wait wait = wait_begin(order->late, order->timeout_ms);

    for (;;) {
        int error = mount_now(order, NULL, report);
        int r;

        if (error == 0 || report->error != 0)
            return error;
        /* EINVAL: no device with this tag; ENODEV: no virtiofs in the kernel (yet) */
        if (error == ENODEV && wait.loader < 0)
            return fail_late(order, error, report);
        if (error != EINVAL && error != ENODEV)
            return report_fail(report, error, "virtiofs '%.36s' on '%.100s': %s", order->tag,
                               order->target, strerror(error));
        r = wait_next(&wait, "virtio");
        if (r == -ETIMEDOUT)
            return fail_late(order, error, report);
        if (r < 0)
            return report_fail(report, -r, "cannot wait for a device: %s", strerror(-r));
    }
}

static int mount_9p(const struct share_order *order, struct report *report)
{
    uint64_t end = clock_in_ms(order->timeout_ms);
    FD_CLOSE int fd = -1;
    char options[160];
    int error;

    wait_loader(order->late->loader, end); /* 9p and its transport may be among them */
    fd = wait_connected(order->cid, order->port, end);
    if (fd < 0)
        return report_fail(report, -fd, "9p '%.36s': no connection to vsock port %u: %s",
                           order->tag, order->port, strerror(-fd));
    (void)snprintf(options, sizeof(options),
                   "trans=fd,rfdno=%d,wfdno=%d,msize=65536,version=9p2000.L,access=user,uname=root,"
                   "aname=" LIMITS_9P_ANAME,
                   fd, fd);
    error = mount_now(order, options, report);
    if (error == 0 || report->error != 0)
        return error;
    if (error == ENODEV)
        return report_fail(report, ENODEV, "9p '%.36s': this kernel has no 9p%.155s", order->tag,
                           order->late->failed);
    return report_fail(report, error, "9p '%.36s' on '%.100s': %s", order->tag, order->target,
                       strerror(error));
}

void share_mount(const void *argument, struct report *report)
{
    const struct share_order *order = argument;
    FD_CLOSE int words = -1;

    if (!order->by_9p && (order->tag[0] == '\0' || strlen(order->tag) > LIMITS_TAG)) {
        (void)report_fail(report, EINVAL, "tag '%.60s': expected 1 to %u bytes", order->tag,
                          LIMITS_TAG);
        return;
    }
    /* A connection, or a wait, for nothing would cost the host something. */
    if (judge_target(order, report) != 0)
        return;
    words = kernel_words_begin();
    if (order->by_9p)
        (void)mount_9p(order, report);
    else
        (void)mount_virtiofs(order, report);
    kernel_words_add(words, report);
}

/* What is taken away at once, busy or not, is a share: the host may be wrong about what is there.
 * @return 0, or the error that @p report has */
static int judge_detached(const struct share_order *order, struct report *report)
{
    struct mountinfo found;

    if (mountinfo_find(order->target, &found) > 0 && !mountinfo_is_share(&found))
        return report_fail(report, EINVAL,
                           "'%.100s' is a mount of %.20s, not a share; not "
                           "unmounting it",
                           order->target, found.type);
    return 0;
}

void share_unmount(const void *argument, struct report *report)
{
    const struct share_order *order = argument;
    char name[NAME_MAX + 1];

    if (target_check(order->target, report) != 0)
        return;
    if (order->detach && judge_detached(order, report) != 0)
        return;
    if (target_enter(order->target, report, name) != 0)
        return;
    if (umount2(name, UMOUNT_NOFOLLOW | (order->detach ? MNT_DETACH : 0)) < 0)
        (void)report_fail(report, errno, "cannot unmount '%.100s': %s", order->target,
                          strerror(errno));
}
