/*
 * load: guests by the hundred that shake hands with a host, as fast as it answers.
 *
 * Guest N calls DIRECTORY/N, sends CAPABILITIES (the same boot each time), reads the WELCOME, hangs
 * up and calls again, ROUNDS times; all guests at the same time, one epoll. In the last round they
 * stay connected. Then one line on standard output: handshakes refused or failed, the seconds it
 * all took, and the latencies in microseconds, from connect(2) to the last byte of WELCOME, sorted.
 * It ends, and the connections with it, at the end of standard input.
 *
 *     load DIRECTORY GUESTS ROUNDS
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOAD_FRAME   192u
#define LOAD_WELCOME 30u /* header and fixed part: the status is in it */
#define LOAD_STATUS  24u
#define LOAD_EVENTS  64

struct load_guest {
    int fd;
    unsigned number, round;
    size_t size;
    uint64_t called_ns;
    uint8_t welcome[LOAD_WELCOME];
};

struct load {
    const char *directory;
    unsigned guests, rounds, done, failed;
    int epoll;
    double *latency_us;
    size_t count;
};

static uint64_t load_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void load_send(const struct load_guest *guest)
{
    uint8_t frame[LOAD_FRAME] = "GLNK\1\0\0\0\260\0\0\0\1\0\0\0\260\0\0\0\1\0\0\0";
    uint64_t memory = 512u << 20;
    uint32_t page = 4096, cpus = 1;
    uint64_t began = 1000000000u, sent = 1050000000u;

    frame[24] = 2; /* virtiofs */
    memcpy(frame + 48, &memory, sizeof(memory));
    memcpy(frame + 56, &page, sizeof(page));
    memcpy(frame + 60, &cpus, sizeof(cpus));
    memset(frame + 64, 0x5a, 16); /* the boot's id */
    memcpy(frame + 64, &guest->number, sizeof(guest->number));
    memcpy(frame + 80, "6.1.0-load", 10);
    memcpy(frame + 144, "load", 4);
    memcpy(frame + 176, &began, sizeof(began));
    memcpy(frame + 184, &sent, sizeof(sent));
    if (send(guest->fd, frame, sizeof(frame), MSG_NOSIGNAL) != (ssize_t)sizeof(frame)) {
        perror("send");
        exit(1);
    }
}

static void load_call(struct load *load, struct load_guest *guest)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = guest};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u", load->directory,
                   guest->number);
    guest->size = 0;
    guest->called_ns = load_now();
    guest->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (guest->fd < 0 || connect(guest->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror(address.sun_path);
        exit(1);
    }
    load_send(guest);
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, guest->fd, &event) < 0)
        abort();
}

/* The handshake is over, well or badly: the next one, or none. */
static void load_next(struct load *load, struct load_guest *guest)
{
    (void)epoll_ctl(load->epoll, EPOLL_CTL_DEL, guest->fd, NULL);
    guest->round++;
    if (guest->round == load->rounds) {
        load->done++;
        return;
    }
    (void)close(guest->fd);
    load_call(load, guest);
}

static void load_read(struct load *load, struct load_guest *guest)
{
    ssize_t size =
        recv(guest->fd, guest->welcome + guest->size, LOAD_WELCOME - guest->size, MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        load->failed++;
        load_next(load, guest);
        return;
    }
    guest->size += (size_t)size;
    if (guest->size < LOAD_WELCOME)
        return;
    if (guest->welcome[LOAD_STATUS] != 0)
        load->failed++;
    else
        load->latency_us[load->count++] = (double)(load_now() - guest->called_ns) / 1e3;
    load_next(load, guest);
}

static int load_compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void load_tell(struct load *load, double seconds)
{
    (void)printf("%u %.6f", load->failed, seconds);
    qsort(load->latency_us, load->count, sizeof(double), load_compare);
    for (size_t at = 0; at < load->count; at++)
        (void)printf(" %.1f", load->latency_us[at]);
    (void)puts("");
    (void)fflush(stdout);
}

static void load_run(struct load *load, struct load_guest *guests)
{
    struct epoll_event events[LOAD_EVENTS];
    uint64_t began = load_now();

    for (unsigned number = 0; number < load->guests; number++) {
        guests[number].number = number;
        load_call(load, &guests[number]);
    }
    while (load->done < load->guests) {
        int found = epoll_wait(load->epoll, events, LOAD_EVENTS, -1);

        for (int at = 0; at < found; at++)
            load_read(load, events[at].data.ptr);
    }
    load_tell(load, (double)(load_now() - began) / 1e9);
}

int main(int argc, char **argv)
{
    struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct load_guest *guests;
    struct rlimit files;
    char byte;

    if (argc != 4)
        return 2;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    load.directory = argv[1];
    load.guests = (unsigned)strtoul(argv[2], NULL, 10);
    load.rounds = (unsigned)strtoul(argv[3], NULL, 10);
    guests = calloc(load.guests, sizeof(*guests));
    load.latency_us = calloc((size_t)load.guests * load.rounds, sizeof(double));
    if (!guests || !load.latency_us)
        return 1;
    load_run(&load, guests);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
