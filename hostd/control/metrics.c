/*
 * metrics: one request a connection. Every request is answered alike: whoever may connect may read
 * all there is, and there is only one thing.
 */
#include "metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "control_peer.h"
#include "guest/listener.h"
#include "metrics_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* Scrapers of one host; each holds one answer, some 500 bytes a VM. */
#define SCRAPES 8u
/* A request is a line and a few headers; a scraper that is not done in time is none. */
#define REQUEST_BYTES 4096u
#define SCRAPE_MS     5000u

struct scrape {
    struct metrics *metrics;
    int fd;
    sd_event_source *io, *timer;
    char request[REQUEST_BYTES];
    size_t received;
    char *answer; /* NULL until the request is whole */
    size_t size, sent;
    LIST_ENTRY(scrape) of_all;
};

struct metrics {
    struct fleet *fleet;
    struct listener *listener;
    LIST_HEAD(, scrape) scrapes;
    unsigned count;
    gid_t gid;
};

static struct scrape *scrape_free(struct scrape *scrape)
{
    LIST_REMOVE(scrape, of_all);
    scrape->metrics->count--;
    sd_event_source_disable_unref(scrape->io);
    sd_event_source_disable_unref(scrape->timer);
    (void)close(scrape->fd);
    free(scrape->answer);
    free(scrape);
    return NULL;
}

/* @return 0 or -ENOMEM */
static int make_answer(struct scrape *scrape)
{
    char *body = metrics_text_make(scrape->metrics->fleet), *answer;
    int n;

    if (body == NULL)
        return -ENOMEM;
    n = asprintf(&answer,
                 "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 strlen(body), body);
    free(body);
    if (n < 0)
        return -ENOMEM;
    scrape->answer = answer;
    scrape->size = (size_t)n;
    return 0;
}

static bool is_whole(const struct scrape *scrape)
{
    return memmem(scrape->request, scrape->received, "\r\n\r\n", 4) != NULL ||
           memmem(scrape->request, scrape->received, "\n\n", 2) != NULL;
}

/* @return true if the scrape goes on */
static bool receive(struct scrape *scrape)
{
    ssize_t n = recv(scrape->fd, scrape->request + scrape->received,
                     REQUEST_BYTES - scrape->received, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    scrape->received += (size_t)n;
    if (!is_whole(scrape))
        return scrape->received < REQUEST_BYTES;
    return make_answer(scrape) == 0 && sd_event_source_set_io_events(scrape->io, EPOLLOUT) >= 0;
}

/* @return true if the scrape goes on */
static bool answer(struct scrape *scrape)
{
    ssize_t n = send(scrape->fd, scrape->answer + scrape->sent, scrape->size - scrape->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    scrape->sent += (size_t)n;
    return scrape->sent < scrape->size;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct scrape *scrape = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    if (scrape->answer == NULL ? !receive(scrape) : !answer(scrape))
        (void)scrape_free(scrape);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)scrape_free(userdata);
    return 0;
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct metrics *metrics = userdata;
    struct scrape *scrape = NULL;

    (void)peer;
    if (metrics->count < SCRAPES && control_peer_is_allowed(fd, metrics->gid))
        scrape = calloc(1, sizeof(*scrape));
    if (scrape == NULL) {
        (void)close(fd);
        return;
    }
    scrape->metrics = metrics;
    scrape->fd = fd;
    LIST_INSERT_HEAD(&metrics->scrapes, scrape, of_all);
    metrics->count++;
    if (sd_event_add_io(metrics->fleet->services.event, &scrape->io, fd, EPOLLIN, on_io, scrape) <
            0 ||
        clock_arm(metrics->fleet->services.event, &scrape->timer, SCRAPE_MS, on_timer, scrape) < 0)
        (void)scrape_free(scrape);
}

static void on_paused(void *userdata, int error)
{
    (void)userdata;
    log_line(LOG_WARNING, "metrics socket: accept: %s; it pauses for a moment", strerror(error));
}

int metrics_new(struct fleet *fleet, const char *path, const char *group,
                struct metrics **ret_metrics)
{
    static const struct listener_events events = {on_accepted, on_paused};
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    int r;

    if (metrics == NULL)
        return -ENOMEM;
    metrics->fleet = fleet;
    metrics->gid = control_peer_find_group(group);
    r = listener_new_unix(fleet->services.event, path, &events, metrics, &metrics->listener);
    if (r < 0) {
        (void)metrics_free(metrics);
        return r;
    }
    if (control_peer_widen(path, metrics->gid) < 0)
        log_line(LOG_WARNING,
                 "metrics socket %s: cannot be given to the group %s (%s); it is for root alone",
                 path, group, strerror(errno));
    *ret_metrics = metrics;
    return 0;
}

struct metrics *metrics_free(struct metrics *metrics)
{
    struct scrape *next;

    if (metrics == NULL)
        return NULL;
    (void)listener_free(metrics->listener);
    for (struct scrape *scrape = LIST_FIRST(&metrics->scrapes); scrape; scrape = next) {
        next = LIST_NEXT(scrape, of_all);
        (void)scrape_free(scrape);
    }
    free(metrics);
    return NULL;
}
