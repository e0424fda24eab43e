/* link: the connection to the host, forever. */
#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "base/uevent.h"
#include "dial.h"
#include "link_out.h"
#include "protocol/limits.h"
#include "protocol/welcome.h"

/* Uevents that are read before others have their turn: root can make any number. */
#define EVENTS_PER_TURN 64

static void dial_in_loop(struct link *link);

/* ± 25 %; the kernel's generator without blocking, which early in boot is good enough for this. */
static uint32_t jitter(uint32_t ms)
{
    uint16_t random = 0x8000;

    (void)!getrandom(&random, sizeof(random), GRND_INSECURE);
    return ms - ms / 4 + (uint32_t)((uint64_t)(ms / 2) * random / UINT16_MAX);
}

/* Leaves whatever state for DOWN, and dials again after @p pause_ms. */
static void drop(struct link *link, uint32_t pause_ms)
{
    bool was_up = link->state == LINK_UP;

    if (link->source.fd >= 0) /* a child that was forked meanwhile cannot keep it open */
        (void)shutdown(link->source.fd, SHUT_RDWR);
    loop_close(link->loop, &link->source);
    link->state = LINK_DOWN;
    link->broken = false;
    link->asked = false;
    link->in_size = 0;
    link->in_waits = false;
    link->out.size = 0;
    link->out_start = 0;
    loop_arm(link->loop, &link->timer, clock_in_ms(jitter(pause_ms)));
    if (was_up)
        link->user->lost(link);
}

static void fail(struct link *link, const char *what, int error)
{
    uint32_t pause = link->pause_ms;

    /* The first failure and then one line per longest pause: not one for every attempt; and none
     * while the device is waited for, which was said. */
    if (link->state == LINK_UP ||
        (error != ENODEV && (pause == INIT_PAUSE_FIRST_MS || pause == INIT_PAUSE_LAST_MS)))
        kmsg_log(LOG_NOTICE, "host: %s: %s; will retry in about %u ms", what,
                 error ? strerror(error) : "closed", pause);
    link->pause_ms = pause * 2 > INIT_PAUSE_LAST_MS ? INIT_PAUSE_LAST_MS : pause * 2;
    drop(link, pause);
}

static void violation(struct link *link, const char *what)
{
    kmsg_log(LOG_ERR, "host: protocol error: %s; closing the connection", what);
    link->pause_ms = INIT_PAUSE_LAST_MS;
    drop(link, INIT_PAUSE_LAST_MS);
}

static void on_device(struct loop_source *source, uint32_t events)
{
    struct link *link = LOOP_OWNER(source, struct link, device);
    struct uevent event;
    bool arrived = false;
    int r = 0;

    (void)events;
    for (int i = 0; i < EVENTS_PER_TURN && (r = uevent_receive(source->fd, &event)) == 0; i++)
        arrived = arrived || uevent_is_arrival(&event, "virtio") ||
                  uevent_is_arrival(&event, "virtio-ports") || uevent_is_arrival(&event, "vmbus") ||
                  uevent_is_arrival(&event, "module");
    if ((arrived || r == -ENOBUFS) && link->state == LINK_DOWN) {
        link->pause_ms = INIT_PAUSE_FIRST_MS;
        dial_in_loop(link);
    }
}

/* The device is not there. @return true if it is worth trying again at once: it may have come
 * before we listened */
static bool wait_for_device(struct link *link)
{
    if (link->device.fd >= 0)
        return false;
    kmsg_log(LOG_NOTICE, "host: no device for the connection yet; waiting for the kernel to "
                         "report one");
    link->device.fd = uevent_open();
    if (link->device.fd < 0)
        return false;
    link->device.ready = on_device;
    (void)loop_add(link->loop, &link->device, EPOLLIN);
    return true;
}

static void dial(struct link *link)
{
    int fd = dial_open(&link->address, &link->local_port);

    if (fd == -ENODEV && wait_for_device(link))
        fd = dial_open(&link->address, &link->local_port);
    if (fd < 0) {
        fail(link, "cannot connect", -fd);
        return;
    }
    link->source.fd = fd;
    link->state = LINK_CONNECTING;
    loop_arm(link->loop, &link->timer, clock_in_ms(INIT_CONNECT_MS));
}

static void watch_call(struct link *link)
{
    if (link->state == LINK_CONNECTING && loop_add(link->loop, &link->source, EPOLLOUT) < 0)
        fail(link, "cannot watch the connection", ENOMEM);
}

static void dial_in_loop(struct link *link)
{
    dial(link);
    watch_call(link);
}

/* @return 0: the connection stands */
static int connect_error(const struct link *link, uint32_t events)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (link->address.kind == HOST_ADDRESS_VIRTIO_PORT)
        return events & EPOLLHUP ? ECONNREFUSED : 0;
    if ((events & EPOLLERR) && getsockopt(link->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

/* The connection stands: the first frame goes out before anything else is done. */
static void greet(struct link *link)
{
    size_t start;

    link->state = LINK_GREETING;
    link->generation++;
    start = link_out_begin(link, FRAME_CAPABILITIES, 0, link_new_id(link));
    link->user->greet(link, &link->out);
    (void)frame_end(&link->out, start);
    link_out_flush(link);
    link_out_watch(link, 0);
    if (!link->broken)
        loop_arm(link->loop, &link->timer, clock_in_ms(INIT_WELCOME_MS));
    link->user->greeted(link);
}

static void take_welcome(struct link *link, const struct frame *frame)
{
    struct welcome welcome;

    if (frame->type != FRAME_WELCOME || !(frame->flags & FRAME_FLAG_ANSWER) ||
        welcome_unpack(frame->payload, frame->length, &welcome) != 0) {
        violation(link, "the first frame is not a valid WELCOME");
        return;
    }
    if (welcome.status != WELCOME_ACCEPTED) {
        kmsg_log(LOG_ERR,
                 "host: refused: status %u (%s); it speaks %u.%u, this guest %u.%u; will retry "
                 "in about %u ms",
                 welcome.status, welcome_status_text(welcome.status), welcome.major, welcome.minor,
                 PROTOCOL_MAJOR, PROTOCOL_MINOR, INIT_PAUSE_REFUSED_MS);
        drop(link, INIT_PAUSE_REFUSED_MS);
        return;
    }
    kmsg_log(LOG_INFO, "host: welcomed as %.*s", (int)welcome.name.size, welcome.name.data);
    link->state = LINK_UP;
    link->pause_ms = INIT_PAUSE_FIRST_MS;
    loop_arm(link->loop, &link->timer, clock_in_ms(INIT_IDLE_MS));
    loop_close(link->loop, &link->device);
    link->user->welcomed(link);
}

static void take_frame(struct link *link, const struct frame *frame)
{
    const char *wrong;

    if (link->state == LINK_GREETING) {
        take_welcome(link, frame);
        return;
    }
    wrong = link->user->frame(link, frame);
    if (wrong && link->state == LINK_UP) {
        kmsg_log(LOG_ERR, "host: frame %s (type %u, id %u, %u bytes): %s",
                 frame_type_name(frame->type), frame->type, frame->id, frame->length, wrong);
        violation(link, wrong);
    }
}

/* @return true if whole frames may be left in the buffer */
static bool take_frames(struct link *link)
{
    size_t taken = 0;
    bool more = true;

    for (unsigned i = 0; i < INIT_FRAMES_PER_TURN && link_out_room(link) >= INIT_ANSWER_RESERVE;
         i++) {
        struct frame frame;
        size_t size;
        int r = frame_decode(link->in_bytes + taken, link->in_size - taken, &frame, &size);

        if (r == FRAME_E_MAGIC || r == FRAME_E_LENGTH) {
            violation(link, r == FRAME_E_MAGIC ? "a wrong magic" : "a length over 65536");
            return false;
        }
        if (r == FRAME_E_MORE) {
            more = false;
            break;
        }
        take_frame(link, &frame);
        if (link->state != LINK_GREETING && link->state != LINK_UP)
            return false;
        taken += size;
    }
    if (taken > 0) {
        link->in_size -= taken;
        memmove(link->in_bytes, link->in_bytes + taken, link->in_size);
    }
    return more;
}

/* @return false if the connection is gone */
static bool read_some(struct link *link)
{
    ssize_t n;

    if (link->in_size == sizeof(link->in_bytes))
        return true;
    n = read(link->source.fd, link->in_bytes + link->in_size,
             sizeof(link->in_bytes) - link->in_size);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        fail(link, "connection lost", n < 0 ? errno : 0);
        return false;
    }
    link->in_size += (size_t)n;
    link->heard_ns = clock_now_ns();
    link->asked = false;
    return true;
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct link *link = LOOP_OWNER(source, struct link, source);

    if (link->state == LINK_CONNECTING) {
        int error = connect_error(link, events);

        if (error != 0)
            fail(link, "cannot connect", error);
        else
            greet(link);
        return;
    }
    if (events & EPOLLOUT)
        link_out_flush(link);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_some(link))
        return;
    link->in_waits = take_frames(link);
    if (link->state == LINK_GREETING || link->state == LINK_UP)
        link_out_watch(link, events & EPOLLOUT ? 0 : link_out_owed(link));
    if ((events & EPOLLOUT) && link->state == LINK_UP)
        link->user->drained(link);
}

/* The host has been silent, or was when the timer was armed. Bytes that wait for it to read are not
 * its death: they provoke a reset there, which is. */
static void on_silence(struct link *link)
{
    uint64_t until_ns = link->heard_ns + INIT_IDLE_MS * UINT64_C(1000000);

    if (clock_now_ns() < until_ns) {
        loop_arm(link->loop, &link->timer, until_ns);
    } else if (link->out.size > link->out_start) {
        loop_arm(link->loop, &link->timer, clock_in_ms(INIT_PING_MS));
    } else if (link->asked) {
        fail(link, "no answer to a ping", ETIMEDOUT);
    } else {
        link->asked = true;
        loop_arm(link->loop, &link->timer, clock_in_ms(INIT_PING_MS));
        if (link_begin(link, FRAME_PING, 0, link_new_id(link)))
            (void)link_end(link);
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct link *link = LOOP_OWNER(timer, struct link, timer);

    if (link->state == LINK_DOWN)
        dial_in_loop(link);
    else if (link->broken)
        fail(link, "connection lost", EPIPE);
    else if (link->state == LINK_UP)
        on_silence(link);
    else if (link->state == LINK_CONNECTING)
        fail(link, "connect: no answer in time", ETIMEDOUT);
    else
        fail(link, "capabilities: no WELCOME in time", ETIMEDOUT);
}

void link_start(struct link *link, struct loop *loop, const struct host_address *address,
                const struct link_user *user)
{
    link->loop = loop;
    link->user = user;
    link->address = *address;
    link->local_port = LIMITS_PRIVILEGED_PORTS - 1;
    link->pause_ms = INIT_PAUSE_FIRST_MS;
    link->source = (struct loop_source){.fd = -1, .ready = on_ready};
    link->device.fd = -1;
    link->timer.expired = on_timer;
    link->out = (struct wire_writer){.data = link->out_bytes, .capacity = sizeof(link->out_bytes)};
    dial(link);
}

void link_await(struct link *link, int timeout_ms)
{
    if (link->state != LINK_CONNECTING || !loop_await(&link->source, EPOLLOUT, timeout_ms))
        watch_call(link);
}
