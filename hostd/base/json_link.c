/* json link: one connection to a peer that may lie, as lines of JSON in and out. */
#include "json_link.h"

#include "json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of the buffer for a line that are kept for the next: most lines fit. */
#define LINE_KEPT 16384u

struct json_link {
    int fd;
    struct json_link_peer peer;
    sd_event_source *source;
    json_link_message_fn on_message;
    json_link_ended_fn on_ended;
    void *userdata;
    char *line; /* what has come of the next line */
    size_t line_size, line_capacity;
    char *output;
    size_t output_size;
    unsigned busy; /* callbacks under way */
    bool freed;    /* by one of them */
};

static struct json_link *destroy(struct json_link *link)
{
    sd_event_source_disable_unref(link->source);
    if (link->fd >= 0)
        (void)close(link->fd);
    free(link->line);
    free(link->output);
    free(link);
    return NULL;
}

struct json_link *json_link_free(struct json_link *link)
{
    if (!link)
        return NULL;
    if (link->busy == 0)
        return destroy(link);
    link->freed = true;
    link->source = sd_event_source_disable_unref(link->source);
    return NULL;
}

static void end(struct json_link *link, bool gone, const char *text)
{
    link->source = sd_event_source_disable_unref(link->source);
    link->on_ended(link->userdata, gone, text);
}

/* Ends it for what the peer did. */
static void end_by_peer(struct json_link *link, bool gone, const char *did)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%s %s", link->peer.name, did);
    end(link, gone, text);
}

static bool has_too_many_values(const char *line, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += line[i] == '{' || line[i] == '[' || line[i] == ',';
    return count > JSON_LINK_VALUES_MAX;
}

/* @return 0, or -1 after the end was told */
static int take_line(struct json_link *link, const char *line, size_t size)
{
    struct json_object *message;

    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' '))
        size--;
    if (size == 0)
        return 0;
    if (has_too_many_values(line, size)) {
        end_by_peer(link, false, "sent a line with too many values");
        return -1;
    }
    message = json_parse_object(line, size, JSON_TOKENER_DEFAULT_DEPTH);
    if (!message) {
        end(link, false, link->peer.nonsense);
        return -1;
    }
    link->on_message(link->userdata, message);
    json_object_put(message);
    return 0;
}

/* @return 0, or -1 after the end was told */
static int take(struct json_link *link, const char *data, size_t size)
{
    while (size > 0 && !link->freed) {
        const char *newline = memchr(data, '\n', size);
        size_t part = newline ? (size_t)(newline - data) : size;
        int r = 0;

        if (link->line_size + part > JSON_LINK_LINE_MAX) {
            end_by_peer(link, false, "sent a line of more than 1 MiB");
            return -1;
        }
        if (link->line_size + part > link->line_capacity) {
            char *line = realloc(link->line, link->line_size + part);

            if (!line) {
                end(link, false, "out of memory");
                return -1;
            }
            link->line = line;
            link->line_capacity = link->line_size + part;
        }
        if (part > 0) /* an empty line may come before there is a buffer */
            memcpy(link->line + link->line_size, data, part);
        link->line_size += part;
        if (newline) {
            size_t line_size = link->line_size;

            link->line_size = 0;
            r = take_line(link, link->line, line_size);
            if (link->line_capacity > LINE_KEPT) {
                free(link->line);
                link->line = NULL;
                link->line_capacity = 0;
            }
        }
        if (r < 0)
            return r;
        data += part + (newline ? 1 : 0);
        size -= part + (newline ? 1 : 0);
    }
    return 0;
}

static void receive(struct json_link *link)
{
    char buffer[JSON_LINK_TURN_BYTES];
    ssize_t size = recv(link->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

    if (size > 0)
        (void)take(link, buffer, (size_t)size);
    else if (size == 0)
        end_by_peer(link, true, "closed the connection");
    else if (errno != EAGAIN && errno != EINTR)
        end(link, true, strerrordesc_np(errno));
}

/* @return 0, or -errno of the socket */
static int flush(struct json_link *link)
{
    while (link->output_size > 0) {
        ssize_t size = send(link->fd, link->output, link->output_size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0 && errno != EINTR)
            return -errno;
        if (size > 0) {
            link->output_size -= (size_t)size;
            memmove(link->output, link->output + size, link->output_size);
        }
    }
    return sd_event_source_set_io_events(link->source,
                                         EPOLLIN | (link->output_size > 0 ? EPOLLOUT : 0));
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct json_link *link = userdata;

    (void)source;
    (void)fd;
    link->busy++;
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(link);
    else if (flush(link) < 0)
        end(link, true, "cannot write to the socket");
    link->busy--;
    if (link->freed)
        (void)destroy(link);
    return 0;
}

int json_link_send(struct json_link *link, struct json_object *message)
{
    size_t size;
    const char *text = json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN, &size);
    char *output;

    if (!text)
        return -ENOMEM;
    if (!link->source)
        return -ENOTCONN;
    if (link->output_size + size + 1 > JSON_LINK_OUTPUT_MAX)
        return -ENOBUFS;
    output = realloc(link->output, link->output_size + size + 1);
    if (!output)
        return -ENOMEM;
    memcpy(output + link->output_size, text, size);
    output[link->output_size + size] = '\n';
    link->output = output;
    link->output_size += size + 1;
    return flush(link);
}

int json_link_new(sd_event *event, int fd, const struct json_link_peer *peer,
                  json_link_message_fn message, json_link_ended_fn ended, void *userdata,
                  struct json_link **ret_link)
{
    struct json_link *link = calloc(1, sizeof(*link));
    int r;

    if (!link) {
        (void)close(fd);
        return -ENOMEM;
    }
    link->fd = fd;
    link->peer = *peer;
    link->on_message = message;
    link->on_ended = ended;
    link->userdata = userdata;
    r = sd_event_add_io(event, &link->source, fd, EPOLLIN, on_socket, link);
    if (r >= 0)
        r = sd_event_source_set_ratelimit(link->source, 1000000, JSON_LINK_TURNS_PER_S);
    if (r < 0) {
        (void)destroy(link);
        return r;
    }
    (void)sd_event_source_set_description(link->source, link->peer.name);
    *ret_link = link;
    return 0;
}
