/* link out: frames to the host, queued until it takes them. */
#include "link_out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "protocol/result.h"

void link_break(struct link *link)
{
    link->broken = true;
    loop_arm(link->loop, &link->timer, clock_now_ns());
}

void link_out_flush(struct link *link)
{
    while (link->out_start < link->out.size) {
        ssize_t n = write(link->source.fd, link->out_bytes + link->out_start,
                          link->out.size - link->out_start);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            link_break(link);
        if (n <= 0)
            break;
        link->out_start += (size_t)n;
    }
    if (link->out_start == link->out.size) {
        link->out_start = 0;
        link->out.size = 0;
    }
}

size_t link_out_room(const struct link *link)
{
    return link->out.capacity - (link->out.size - link->out_start);
}

/* Bytes that we hold already wake no poll: being writable does. */
void link_out_watch(struct link *link, uint32_t events)
{
    if (link_out_room(link) >= INIT_ANSWER_RESERVE)
        events |= EPOLLIN;
    if (link->out.size > link->out_start || link->in_waits)
        events |= EPOLLOUT;
    loop_watch(link->loop, &link->source, events);
}

uint32_t link_out_owed(const struct link *link)
{
    return link->source.events & EPOLLOUT;
}

size_t link_out_begin(struct link *link, uint16_t type, uint16_t flags, uint32_t id)
{
    if (link->out_start > 0 && link->out.capacity - link->out.size < FRAME_SIZE_MAX) {
        link->out.size -= link->out_start;
        memmove(link->out_bytes, link->out_bytes + link->out_start, link->out.size);
        link->out_start = 0;
    }
    return frame_begin(&link->out, type, flags, id);
}

size_t link_room(const struct link *link)
{
    return link->state == LINK_UP && !link->broken ? link_out_room(link) : 0;
}

struct wire_writer *link_begin(struct link *link, uint16_t type, uint16_t flags, uint32_t id)
{
    if (link->state != LINK_UP || link->broken)
        return NULL;
    link->frame_start = link_out_begin(link, type, flags, id);
    return &link->out;
}

int link_end(struct link *link)
{
    int r = frame_end(&link->out, link->frame_start);

    if (r < 0)
        return r;
    link_out_flush(link);
    link_out_watch(link, link_out_owed(link));
    return 0;
}

void link_answer(struct link *link, uint32_t id, uint32_t generation, const struct report *report)
{
    const struct result result = {.error = report->error, .text = wire_text_of(report->text)};
    struct wire_writer *writer;

    if (id == 0 || generation != link->generation)
        return;
    writer = link_begin(link, FRAME_RESULT, FRAME_FLAG_ANSWER, id);
    if (!writer)
        return;
    result_pack(writer, &result);
    (void)link_end(link);
}

uint32_t link_new_id(struct link *link)
{
    if (++link->next_id == 0)
        link->next_id = 1;
    return link->next_id;
}
