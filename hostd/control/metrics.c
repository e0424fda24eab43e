/*
 * metrics: one request a connection. Each GET is answered alike: every client that can connect may
 * read all there is, and there is only one thing.
 */
#include "metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "control_peer.h"
#include "guest/listener.h"
#include "http_request.h"
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
/* A scraper that is not done in time is none. */
#define SCRAPE_MS 5000u

struct scrape {
    struct metrics *metrics;
    int fd;
    sd_event_source *io, *timer;
    char request[HTTP_REQUEST_BYTES];
    size_t received;
    char *answer; /* NULL until the request was judged */
    bool refused; /* more of the request may come: it is read until the client has read why */
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

/* @return the answer, of the caller; NULL: no memory */
static char *make_answer(int status, const char *body, bool head)
{
    char *answer = NULL;

    if (asprintf(&answer,
                 "HTTP/1.0 %d %s\r\nContent-Type: text/plain; %scharset=utf-8\r\n"
                 "Content-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
                 status, http_request_reason(status), status == 200 ? "version=0.0.4; " : "",
                 strlen(body), status == 405 ? "Allow: GET, HEAD\r\n" : "", head ? "" : body) < 0)
        return NULL;
    return answer;
}

/* @return true if the scrape goes on */
static bool begin_answer(struct scrape *scrape, int status, bool head)
{
    char *numbers = status == 200 ? metrics_text_make(scrape->metrics->fleet) : NULL, text[64];

    if (status == 200 && numbers == NULL)
        status = 503; /* no memory */
    (void)snprintf(text, sizeof(text), "%s\n", http_request_reason(status));
    scrape->answer = make_answer(status, numbers != NULL ? numbers : text, head);
    free(numbers);
    if (scrape->answer == NULL)
        return false;
    scrape->size = strlen(scrape->answer);
    scrape->refused = status != 200;
    return sd_event_source_set_io_events(scrape->io, EPOLLOUT) >= 0;
}

/* @return true if the scrape goes on */
static bool receive(struct scrape *scrape)
{
    ssize_t n = recv(scrape->fd, scrape->request + scrape->received,
                     HTTP_REQUEST_BYTES - scrape->received, MSG_DONTWAIT);
    bool head;
    int status;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    scrape->received += (size_t)n;
    status = http_request_judge(scrape->request, scrape->received, &head);
    return status == 0 || begin_answer(scrape, status, head);
}

/* A client whose bytes nobody read would lose the answer with them. */
static bool drain(struct scrape *scrape)
{
    ssize_t n = recv(scrape->fd, scrape->request, sizeof(scrape->request), MSG_DONTWAIT);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* @return true if the scrape goes on */
static bool answer(struct scrape *scrape)
{
    ssize_t n = send(scrape->fd, scrape->answer + scrape->sent, scrape->size - scrape->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    scrape->sent += (size_t)n;
    if (scrape->sent < scrape->size)
        return true;
    return scrape->refused && shutdown(scrape->fd, SHUT_WR) == 0 &&
           sd_event_source_set_io_events(scrape->io, EPOLLIN) >= 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct scrape *scrape = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    if (scrape->answer == NULL        ? !receive(scrape)
        : scrape->sent < scrape->size ? !answer(scrape)
                                      : !drain(scrape))
        (void)scrape_free(scrape);
    return 0;
}

/* Says so and closes, without waiting for anything. */
static void refuse(int fd, int status)
{
    char *answer = make_answer(status, "", false);

    if (answer != NULL)
        (void)!send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
    free(answer);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct scrape *scrape = userdata;

    (void)source;
    (void)usec;
    if (scrape->answer == NULL && scrape->received > 0)
        refuse(scrape->fd, 408);
    (void)scrape_free(scrape);
    return 0;
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    struct metrics *metrics = userdata;
    struct scrape *scrape = NULL;

    (void)peer;
    if (control_peer_is_allowed(fd, metrics->gid)) {
        if (metrics->count < SCRAPES)
            scrape = calloc(1, sizeof(*scrape));
        if (scrape == NULL)
            refuse(fd, 503);
    }
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
    log_line(LOG_WARNING,
             "cannot accept a connection on the metrics socket: %s; will retry "
             "shortly",
             strerror(error));
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
                 "cannot give the metrics socket %s to the group %s: %s; only root can use it",
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
