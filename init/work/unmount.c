/* unmount: leaves every filesystem whole, at the end. */
#include "unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/kmsg_log.h"
#include "base/mountinfo.h"
#include "base/target.h"

/* Exit statuses of a child that puts one filesystem away: it is unmounted; nothing can be written
 * there any more; it was taken off the tree with somebody in it; nothing helped. */
enum { GONE, QUIET, FORCED, BUSY };

/* One mount, and the child that works on it. */
struct item {
    char *target;
    pid_t child; /* 0: none runs */
    int state;   /* GONE, … once its child ended; BUSY before */
};

/* Jobs are children, which may allocate. */
struct items {
    struct item *table;
    size_t count, capacity;
    bool shares; /* which kind this is about */
};

static bool is_kernels(const struct mountinfo *mount)
{
    static const char *const types[] = {"proc",    "sysfs",  "devtmpfs",   "devpts", "cgroup2",
                                        "debugfs", "rootfs", "securityfs", "tracefs"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(mount->type, types[i]) == 0)
            return true;
    return false;
}

/* Somebody outside of the guest's kernel serves it, and may have stopped doing so. */
static bool is_served(const struct mountinfo *mount)
{
    static const char *const types[] = {"nfs", "nfs4", "cifs", "smb3", "ceph"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(mount->type, types[i]) == 0)
            return true;
    return mountinfo_is_share(mount) || strncmp(mount->type, "fuse", 4) == 0;
}

static bool is_worked_on(const struct items *items, const char *target)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->table[i].child != 0 && strcmp(items->table[i].target, target) == 0)
            return true;
    return false;
}

static bool is_below_worked_on(const struct items *items, const char *target)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->table[i].child != 0 && mountinfo_is_below(items->table[i].target, target))
            return true;
    return false;
}

static bool collect(const struct mountinfo *mount, void *context)
{
    struct items *items = context;
    struct item *grown = items->table;

    if (is_kernels(mount) || is_served(mount) != items->shares ||
        is_worked_on(items, mount->target))
        return true;
    if (items->count == items->capacity) {
        size_t capacity = items->capacity * 2 + 64;

        grown = reallocarray(grown, capacity, sizeof(*grown));
        if (!grown)
            return false; /* the next walk has the rest */
        items->table = grown;
        items->capacity = capacity;
    }
    items->table[items->count] = (struct item){.target = strdup(mount->target), .state = BUSY};
    items->count += items->table[items->count].target != NULL;
    return true;
}

/* @return 0 or a positive errno */
static int unmount(const char *path, int flags)
{
    struct report report = {0};
    char name[NAME_MAX + 1];
    int error;

    if (strcmp(path, "/") == 0)
        return EBUSY;
    error = target_enter(path, &report, name);
    if (error == 0 && umount2(name, UMOUNT_NOFOLLOW | flags) < 0)
        error = errno;
    (void)!chdir("/"); /* else this keeps what it is in busy */
    return error;
}

/* What nobody can be made to close, such as a process that SIGKILL does not reach, is written out
 * all the same: a frozen filesystem is clean, and takes no more. */
static bool freeze(const char *path)
{
    FD_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && (ioctl(fd, FIFREEZE, 0) == 0 || errno == EBUSY);
}

/* @return GONE, QUIET: nothing can be written there any more, or BUSY */
static int put_away(const char *path, bool last)
{
    int error = unmount(path, 0);

    if (error == 0)
        return GONE;
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
        return QUIET;
    if (!last)
        return BUSY;
    kmsg_log(LOG_WARNING, "cannot unmount %s: %s; cannot make it read-only: %s; freezing it", path,
             strerror(error), strerror(errno));
    return freeze(path) ? QUIET : BUSY;
}

/* A process that still uses a share now is one that SIGKILL did not reach: its server does not
 * answer. */
static int put_share_away(const char *path)
{
    int error = unmount(path, 0);

    if (error == 0)
        return GONE;
    kmsg_log(LOG_WARNING, "cannot unmount share %s: %s; detaching it by force", path,
             strerror(error));
    return unmount(path, MNT_FORCE | MNT_DETACH) == 0 ? FORCED : BUSY;
}

static int work_on(const struct items *items, const struct item *item, bool last)
{
    return items->shares ? put_share_away(item->target) : put_away(item->target, last);
}

/* Takes the statuses of children that have ended. @return how many still run */
static size_t reap(struct items *items)
{
    size_t running = 0;

    for (size_t i = 0; i < items->count; i++) {
        struct item *item = &items->table[i];
        int status = 0;

        if (item->child == 0)
            continue;
        if (waitpid(item->child, &status, WNOHANG) != item->child) {
            running++;
            continue;
        }
        item->child = 0;
        item->state = WIFEXITED(status) ? WEXITSTATUS(status) : BUSY;
    }
    return running;
}

/* Waits until a child ends, or @p until_ns. SIGCHLD is blocked here, so that none is missed.
 * @return false: it is that late */
static bool wait_for_child(uint64_t until_ns)
{
    int ms = clock_ms_until(until_ns);
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    sigset_t set;

    if (ms == 0)
        return false;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)sigtimedwait(&set, NULL, &left);
    return true;
}

/* Waits until no more than @p most children run, or @p until_ns. */
static void wait_for_children(struct items *items, size_t most, uint64_t until_ns)
{
    while (reap(items) > most && wait_for_child(until_ns))
        ;
}

/* What is mounted in a share keeps it busy: that has its chance to go first. */
static void wait_for_those_below(struct items *items, const char *target, uint64_t until_ns)
{
    while (reap(items) > 0 && is_below_worked_on(items, target) && wait_for_child(until_ns))
        ;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Begins with one mount, in a child: its filesystem may hang, and then costs but a moment. */
static void begin(struct items *items, struct item *item, bool last, uint64_t until_ns)
{
    size_t hanging = reap(items);

    item->child = fork();
    if (item->child == 0)
        _exit(work_on(items, item, last));
    if (item->child < 0) { /* no child to be had: better to hang than to leave it */
        item->child = 0;
        item->state = work_on(items, item, last);
        return;
    }
    wait_for_children(items, hanging,
                      earlier(until_ns, clock_in_ms(items->shares ? 0 : INIT_UNMOUNT_ONE_MS)));
}

/* The newest first, and again while that unmounts any: one may have been below another, or was too
 * many for the memory. */
static void put_all_away(struct items *items, bool last, uint64_t until_ns)
{
    size_t gone;

    do {
        uint64_t below_until = earlier(until_ns, clock_in_ms(INIT_UNMOUNT_ONE_MS));
        size_t old = 0;

        gone = 0;
        (void)reap(items);
        for (size_t i = 0; i < items->count; i++) { /* what a walk does not find stays */
            if (items->table[i].child != 0 || items->table[i].state == FORCED)
                items->table[old++] = items->table[i];
            else
                free(items->table[i].target);
        }
        items->count = old;
        (void)mountinfo_walk(collect, items);
        for (size_t i = items->count; i > old && clock_ms_until(until_ns) > 0; i--) {
            if (items->shares)
                wait_for_those_below(items, items->table[i - 1].target, below_until);
            begin(items, &items->table[i - 1], last, until_ns);
        }
        if (items->shares)
            wait_for_children(items, 0, until_ns);
        for (size_t i = old; i < items->count; i++)
            gone += items->table[i].child == 0 &&
                    (items->table[i].state == GONE || items->table[i].state == FORCED);
    } while (gone > 0 && clock_ms_until(until_ns) > 0);
}

/* @return how many can still be written to, or do not answer */
static int count_left(const struct items *items)
{
    int left = 0;

    for (size_t i = 0; i < items->count; i++)
        left += items->table[i].child != 0 || items->table[i].state >= FORCED;
    return left;
}

/* A file that is swapped to keeps its filesystem busy, whatever is asked of it. */
static void swap_off(void)
{
    char line[4 * 4096 + 128], path[4096];
    FILE *swaps = fopen("/proc/swaps", "re");

    while (swaps && fgets(line, sizeof(line), swaps)) {
        const char *cursor = line;

        if (mountinfo_take_field(&cursor, path, sizeof(path)) && path[0] == '/' &&
            swapoff(path) < 0)
            kmsg_log(LOG_WARNING, "cannot stop swapping to %s: %s", path, strerror(errno));
    }
    if (swaps)
        (void)fclose(swaps);
}

static bool note_read_only(const struct mountinfo *mount, void *context)
{
    struct items *items = context;

    for (size_t i = 0; i < items->count; i++)
        if (mount->read_only && strcmp(items->table[i].target, mount->target) == 0) {
            items->table[i].child = 0; /* it may hang on: nobody waits for it any more */
            items->table[i].state = QUIET;
        }
    return true;
}

/* The kernel's own way (SysRq-U), which needs no path and heeds nobody who writes: for what is out
 * of reach below a share that hangs. It works on its own time. */
static void force_read_only(struct items *items, uint64_t until_ns)
{
    kmsg_log(LOG_WARNING, "%d filesystems are busy or do not answer; making all read-only by force",
             count_left(items));
    if (fd_write_file("/proc/sysrq-trigger", "u") < 0)
        return;
    while (count_left(items) > 0 && clock_ms_until(until_ns) > 0) {
        (void)wait_for_child(earlier(until_ns, clock_in_ms(INIT_UNMOUNT_LOOK_MS)));
        (void)reap(items);
        (void)mountinfo_walk(note_read_only, items);
    }
}

static void log_left(const struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->table[i].child != 0 || items->table[i].state == BUSY)
            kmsg_log(LOG_WARNING, "cannot unmount %s: %s; leaving it", items->table[i].target,
                     items->table[i].child != 0 ? "no answer" : "busy");
}

static void forget(struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        free(items->table[i].target);
    free(items->table);
}

void unmount_all(const void *argument, struct report *report)
{
    struct items own = {0}, shares = {.shares = true};
    uint64_t own_until = clock_in_ms(INIT_UNMOUNT_OWN_MS);
    sigset_t set;

    (void)argument;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* wait_for_child() takes it */
    /* What nobody swaps to is safe before swapoff(2), which may take long or run out of memory. */
    put_all_away(&own, false, own_until);
    if (count_left(&own) > 0) {
        swap_off();
        put_all_away(&own, true, own_until);
    }
    if (count_left(&own) > 0)
        force_read_only(&own, own_until);
    put_all_away(&shares, true, clock_in_ms(INIT_UNMOUNT_SHARES_MS));
    log_left(&own);
    log_left(&shares);
    report->error = count_left(&own) + count_left(&shares);
    forget(&own);
    forget(&shares);
}
