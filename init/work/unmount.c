/* unmount: leaves every filesystem whole, at the end. */
#include "unmount.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <unistd.h>

#include "base/kmsg_log.h"
#include "base/mountinfo.h"
#include "base/target.h"

#define TARGETS 512u

/* A job is a child, which may allocate. */
struct targets {
    char *paths[TARGETS];
    size_t count;
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

static bool collect(const struct mountinfo *mount, void *context)
{
    struct targets *targets = context;

    if (!is_kernels(mount) && targets->count < TARGETS) {
        targets->paths[targets->count] = strdup(mount->target);
        targets->count += targets->paths[targets->count] != NULL;
    }
    return true;
}

/* @return 0 or a positive errno */
static int unmount(const char *path)
{
    struct report report = {0};
    char name[NAME_MAX + 1];
    int error = target_enter(path, &report, name);

    if (error == 0 && umount2(name, UMOUNT_NOFOLLOW) < 0)
        error = errno;
    (void)!chdir("/"); /* else this keeps what it is in busy */
    return error;
}

/*
 * @param last  nothing is tried after this: a failure is said
 * @return true if nothing can be written there any more
 */
static bool put_away(const char *path, bool last)
{
    int error = strcmp(path, "/") == 0 ? EBUSY : unmount(path);

    if (error == 0 || mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
        return true;
    if (last)
        kmsg_log(LOG_WARNING, "%s can be neither unmounted (%s) nor made read-only (%s)", path,
                 strerror(error), strerror(errno));
    return false;
}

/* @return how many can still be written to */
static int put_all_away(bool last)
{
    struct targets targets = {0};
    int left = 0;

    (void)mountinfo_walk(collect, &targets);
    for (size_t i = targets.count; i > 0; i--) {
        left += !put_away(targets.paths[i - 1], last);
        free(targets.paths[i - 1]);
    }
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
            kmsg_log(LOG_WARNING, "%s is swapped to still: %s", path, strerror(errno));
    }
    if (swaps)
        (void)fclose(swaps);
}

void unmount_all(const void *argument, struct report *report)
{
    int left;

    (void)argument;
    sync();
    /* What nobody swaps to is safe before swapoff(2), which may take long or run out of memory. */
    left = put_all_away(false);
    if (left > 0) {
        swap_off();
        left = put_all_away(true);
    }
    sync();
    report->error = left;
}
