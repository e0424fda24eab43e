/* wall clock: CLOCK_REALTIME, set right. */
#include "wall_clock.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/kmsg_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* Year 2262: what fits into 63 bits. */
#define LAST_NS INT64_MAX

/* Looked at, in their order. */
#define PTP_CLOCKS 4

/* Linux' FD_TO_CLOCKID (tools/testing/selftests/ptp/testptp.c): a clock by its descriptor. */
static clockid_t clock_of(int fd)
{
    return (clockid_t)(((~(unsigned)fd) << 3) | 3u);
}

static int64_t now_ns(clockid_t id)
{
    struct timespec now;

    if (clock_gettime(id, &now) < 0)
        return -1;
    return now.tv_sec * (int64_t)CLOCK_NS_PER_S + now.tv_nsec;
}

/* A network card's may tell TAI, or a time that nobody ever set. */
static bool is_hypervisors(const char *name)
{
    static const char *const names[] = {"KVM virtual PTP", "vmclock", "hyperv"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* @return ns since 1970 UTC by the hypervisor's clock device, or -1: there is none */
static int64_t device_ns(void)
{
    char path[48], name[32];

    for (unsigned i = 0; i < PTP_CLOCKS; i++) {
        FD_CLOSE int fd = -1;

        (void)snprintf(path, sizeof(path), "/sys/class/ptp/ptp%u/clock_name", i);
        if (fd_read_file(path, name, sizeof(name)) < 0 || !is_hypervisors(name))
            continue;
        (void)snprintf(path, sizeof(path), "/dev/ptp%u", i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            return now_ns(clock_of(fd));
    }
    return -1;
}

static int step(int64_t to_ns)
{
    const struct timespec time = {.tv_sec = to_ns / (int64_t)CLOCK_NS_PER_S,
                                  .tv_nsec = to_ns % (int64_t)CLOCK_NS_PER_S};

    return clock_settime(CLOCK_REALTIME, &time) < 0 ? -errno : WALL_CLOCK_STEPPED;
}

static int slew(int64_t by_ns)
{
    const struct timeval by = {.tv_usec = (suseconds_t)(by_ns / 1000)};

    return adjtime(&by, NULL) < 0 ? -errno : WALL_CLOCK_SLEWED;
}

int wall_clock_set(uint64_t host_ns, struct event_clock_stepped *ret_stepped)
{
    int64_t right_ns, before_ns, off_ns;
    int r;

    if (host_ns == 0 || host_ns > (uint64_t)LAST_NS)
        return -EINVAL;
    right_ns = device_ns();
    if (right_ns <= 0)
        right_ns = (int64_t)host_ns;
    before_ns = now_ns(CLOCK_REALTIME);
    if (before_ns < 0) /* set to before 1970, by whomever */
        before_ns = 0;
    off_ns = right_ns - before_ns;
    if (off_ns > -WALL_CLOCK_FINE_NS && off_ns < WALL_CLOCK_FINE_NS)
        return WALL_CLOCK_KEPT;
    if (off_ns >= -WALL_CLOCK_STEP_NS && off_ns <= WALL_CLOCK_STEP_NS)
        return slew(off_ns);
    r = step(right_ns);
    if (r == WALL_CLOCK_STEPPED) {
        *ret_stepped = (struct event_clock_stepped){.before_ns = (uint64_t)before_ns,
                                                    .after_ns = (uint64_t)right_ns};
        kmsg_log(LOG_NOTICE, "the clock was %lld ms off; stepped it",
                 (long long)(off_ns / (int64_t)CLOCK_NS_PER_MS));
    }
    return r;
}
