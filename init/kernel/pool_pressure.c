/* pool_pressure: tells the host when a bounce pool runs dry. */
#include "pool_pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "kmsg_record.h"

/* Each event has all the counts: more often than this nobody learns more. */
#define EVENT_INTERVAL_MS 1000u

/* Records of the log that are read before others have their turn. */
#define RECORDS_PER_TURN 64

static void send_event(struct pool_pressure *pressure)
{
    struct wire_writer *writer;

    if (!pressure->unsent || pressure->timer.at_ns != 0 ||
        link_room(pressure->link) < INIT_ANSWER_RESERVE)
        return;
    writer = link_begin(pressure->link, FRAME_POOL_EXHAUSTED, 0, 0);
    if (!writer)
        return;
    event_pool_exhausted_pack(writer, &pressure->event);
    pressure->unsent = link_end(pressure->link) != 0;
    loop_arm(pressure->loop, &pressure->timer, clock_in_ms(EVENT_INTERVAL_MS));
}

static void on_timer(struct loop_timer *timer)
{
    struct pool_pressure *pressure = LOOP_OWNER(timer, struct pool_pressure, timer);

    /* No host now: looked at again, so that what it missed reaches it when it is back. */
    send_event(pressure);
    if (pressure->unsent && pressure->timer.at_ns == 0)
        loop_arm(pressure->loop, timer, clock_in_ms(EVENT_INTERVAL_MS));
}

/* The host believes what a guest reports first in a boot, and nothing after it. */
static void warn_if_too_late(const struct kmsg_record *record)
{
    uint64_t base, size;

    if (kmsg_record_default_pool(record, &base, &size) != KMSG_DEFAULT_POOL_NOTHING)
        kmsg_log(LOG_WARNING, "swiotlb: the kernel created or removed its pool after "
                              "guestlink-init reported to the host; will report it at the next "
                              "boot");
}

static void take_record(struct pool_pressure *pressure, const char *text)
{
    struct kmsg_record record;
    struct kmsg_pool_full full;

    if (kmsg_record_parse(text, &record) < 0)
        return;
    warn_if_too_late(&record);
    if (!kmsg_record_pool_full(&record, &full))
        return;
    pressure->event.count += full.count;
    pressure->event.time_ns = clock_now_ns();
    if (full.total != 0) {
        pressure->event.total = full.total;
        pressure->event.used = full.used;
        pressure->event.bytes = full.bytes;
    }
    pressure->unsent = true;
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct pool_pressure *pressure = LOOP_OWNER(source, struct pool_pressure, source);
    char text[KMSG_RECORD_SIZE];

    (void)events;
    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        ssize_t n = read(source->fd, text, sizeof(text) - 1);

        if (n < 0 && (errno == EPIPE || errno == EINTR)) /* EPIPE: some were overwritten */
            continue;
        if (n <= 0)
            break;
        text[n] = '\0';
        take_record(pressure, text);
    }
    if (pressure->unsent && pressure->timer.at_ns == 0) {
        send_event(pressure);
        if (pressure->unsent)
            loop_arm(pressure->loop, &pressure->timer, clock_in_ms(EVENT_INTERVAL_MS));
    }
}

int pool_pressure_start(struct pool_pressure *pressure, struct loop *loop, struct link *link)
{
    pressure->loop = loop;
    pressure->link = link;
    pressure->timer.expired = on_timer;
    pressure->source = (struct loop_source){
        .fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), .ready = on_ready};
    if (pressure->source.fd < 0)
        return -errno;
    if (lseek(pressure->source.fd, 0, SEEK_END) < 0)
        return -errno;
    return loop_add(loop, &pressure->source, EPOLLIN);
}
