/* sink: what a process writes, read as it comes and kept within a bound. */
#include "sink.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Reads of one turn of the loop: a process that writes without end does not hold the loop. */
#define READS_PER_TURN 16u

struct sink {
    int fd;
    sd_event_source *source;
    enum sink_keep keep;
    bool overflow;
    size_t max;
    size_t size;
    char data[]; /* max + 1 */
};

static void take(struct sink *sink, const char *data, size_t size)
{
    size_t room = sink->max - sink->size;

    if (size > room && sink->keep == SINK_KEEP_FIRST) {
        sink->overflow = true;
        size = room;
    } else if (size > room) {
        size_t drop;

        if (size > sink->max) {
            data += size - sink->max;
            size = sink->max;
        }
        drop = sink->size + size - sink->max;
        memmove(sink->data, sink->data + drop, sink->size - drop);
        sink->size -= drop;
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    sink->data[sink->size] = '\0';
}

/* @return true if there may be more */
static bool read_once(struct sink *sink)
{
    char buffer[4096];
    ssize_t size = read(sink->fd, buffer, sizeof(buffer));

    if (size > 0) {
        take(sink, buffer, (size_t)size);
        return true;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* The end: nothing more to wake up for. */
    sink->source = sd_event_source_disable_unref(sink->source);
    return false;
}

void sink_drain(struct sink *sink)
{
    for (unsigned i = 0; i < READS_PER_TURN && read_once(sink); i++)
        ;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source;
    (void)fd;
    (void)revents;
    sink_drain(userdata);
    return 0;
}

int sink_new(sd_event *event, int fd, enum sink_keep keep, size_t max, struct sink **ret_sink)
{
    struct sink *sink = calloc(1, sizeof(*sink) + max + 1);
    int flags = fcntl(fd, F_GETFL);
    int r = sink ? 0 : -ENOMEM;

    if (r == 0 && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        r = -errno;
    if (r == 0)
        r = sd_event_add_io(event, &sink->source, fd, EPOLLIN, on_readable, sink);
    if (r < 0) {
        free(sink);
        (void)close(fd);
        return r;
    }
    (void)sd_event_source_set_description(sink->source, "sink");
    sink->fd = fd;
    sink->keep = keep;
    sink->max = max;
    *ret_sink = sink;
    return 0;
}

struct sink *sink_free(struct sink *sink)
{
    if (!sink)
        return NULL;
    sd_event_source_disable_unref(sink->source);
    (void)close(sink->fd);
    free(sink);
    return NULL;
}

const char *sink_data(const struct sink *sink, size_t *ret_size)
{
    if (ret_size)
        *ret_size = sink->size;
    return sink->data;
}

bool sink_has_overflown(const struct sink *sink)
{
    return sink->overflow;
}

/* @return from where on the bytes fit into @p room, with two for a line's end */
static size_t find_start(const struct sink *sink, size_t room)
{
    size_t start = sink->size;

    while (start > 0) {
        size_t cost = sink->data[start - 1] == '\n' ? 2 : 1;

        if (cost > room)
            break;
        room -= cost;
        start--;
    }
    return start;
}

const char *sink_last_words(const struct sink *sink, char *buffer, size_t capacity)
{
    size_t used = 0;
    bool line_ended = false;

    for (size_t i = sink ? find_start(sink, capacity - 1) : 0; sink && i < sink->size; i++) {
        char c = sink->data[i];

        if (c == '\n') {
            line_ended = used > 0;
            continue;
        }
        if (line_ended) {
            buffer[used++] = ';';
            buffer[used++] = ' ';
            line_ended = false;
        }
        if (c == '\0')
            c = ' ';
        buffer[used++] = c;
    }
    buffer[used] = '\0';
    (void)text_clean(buffer);
    return buffer;
}
