/* relay play: the relay between a QEMU and a virtiofsd that a test plays. */
#include "relay_play.h"

#include "hostd/base/aperture_status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

/* One that nobody accepts looks as if it had ended. */
static int connect_to(const char *path)
{
    const struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)connect(fd, (const struct sockaddr *)&address, sizeof(address));
    return fd;
}

static int listen_at(const char *path)
{
    const struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* ---- virtiofsd */

bool hear(int fd, struct vhost_user_message *message)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int r;

    message->received = 0;
    while ((r = vhost_user_receive(fd, message)) == 0)
        (void)poll(&ready, 1, -1);
    return r > 0;
}

static void answer(int fd, uint32_t request, uint64_t value)
{
    struct vhost_user_message message = {
        .request = request, .flags = 1 | VHOST_USER_FLAG_REPLY, .size = sizeof(value)};

    memcpy(message.payload, &value, sizeof(value));
    (void)vhost_user_send(fd, &message);
}

/* Answers questions with ANSWER, but GET_QUEUE_NUM with how many files the memory has. */
static void serve(int fd)
{
    static struct vhost_user_message message;
    uint64_t files = 0;

    while (hear(fd, &message)) {
        if (message.request == VHOST_USER_SET_MEM_TABLE)
            files = message.fd_count;
        vhost_user_close(&message);
        if (vhost_user_has_answer(&message))
            answer(fd, message.request,
                   message.request == VHOST_USER_GET_QUEUE_NUM ? files : ANSWER);
    }
}

/* What one that spies answers to GET_FEATURES, if it is the first. */
static void lie(int fd, const char *how, struct vhost_user_message *reply)
{
    if (strcmp(how, "spy-long") == 0)
        reply->size = 2 * sizeof(uint64_t);
    else if (strcmp(how, "spy-other") == 0)
        reply->request = VHOST_USER_GET_QUEUE_NUM;
    else if (strcmp(how, "spy-fd") == 0)
        reply->fds[reply->fd_count++] = fd;
}

_Noreturn static void count_and_wake(volatile uint64_t *counter, volatile pid_t *other)
{
    for (;;) {
        ++*counter;
        if (*other > 0)
            (void)kill(*other, SIGCONT);
    }
}

/* Works on the pool, which is the table's first region here, without being asked. */
static void keep_busy(const struct vhost_user_message *table)
{
    struct vhost_user_region region;
    volatile pid_t *pids =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t *pool;

    memcpy(&region, table->payload + VHOST_USER_REGIONS_OFFSET, sizeof(region));
    pool = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, table->fds[0],
                (off_t)region.file_offset);
    if (pool == MAP_FAILED || pids == MAP_FAILED)
        _exit(1);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();

        if (pid == 0)
            count_and_wake(pool + i, pids + !i);
        pids[i] = pid;
    }
}

static void spy(int fd, const char *how, bool is_first, const char *path)
{
    static struct vhost_user_message message, reply;
    int report = connect_to(path);
    bool is_busy = strcmp(how, "spy-busy") != 0;

    while (hear(fd, &message)) {
        uint64_t value = 0;

        if (!is_busy && message.request == VHOST_USER_SET_MEM_TABLE) {
            keep_busy(&message);
            is_busy = true;
        }
        (void)vhost_user_send(report, &message);
        vhost_user_close(&message);
        if (!vhost_user_has_answer(&message))
            continue;
        reply = (struct vhost_user_message){
            .request = message.request, .flags = 1 | VHOST_USER_FLAG_REPLY, .size = sizeof(value)};
        if (message.request == VHOST_USER_GET_FEATURES)
            value = SPY_FEATURES;
        else if (message.request == VHOST_USER_GET_PROTOCOL_FEATURES)
            value = SPY_PROTOCOL_FEATURES;
        else if (message.request == VHOST_USER_GET_VRING_BASE)
            memcpy(&value, message.payload, sizeof(value));
        memcpy(reply.payload, &value, sizeof(value));
        if (message.request == VHOST_USER_GET_FEATURES && is_first)
            lie(fd, how, &reply);
        (void)vhost_user_send(fd, &reply);
    }
}

/* The first one does what it is to do, whoever comes after it is sound. */
int play_virtiofsd(int argc, char *argv[])
{
    static struct vhost_user_message message;
    const char *how = argv[2], *marker = argv[3];
    int first, fd;

    if (argc != 5)
        return 1;
    first = open(marker, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    fd = accept4(3, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) /* it is the connection already */
        fd = 3;
    if (strncmp(how, "spy", 3) == 0) {
        spy(fd, how, first >= 0, argv[4]);
    } else if (first < 0 || strcmp(how, "sound") == 0) {
        serve(fd);
    } else if (strcmp(how, "deaf") == 0) {
        (void)pause();
    } else if (strcmp(how, "brief") == 0) {
        (void)hear(fd, &message);
        return 7;
    } else if (hear(fd, &message)) {
        if (strcmp(how, "mortal") == 0) {
            answer(fd, message.request, ANSWER);
            return 7;
        }
        if (strcmp(how, "half") == 0)
            (void)!write(fd, &message.request, sizeof(message.request));
        else if (strcmp(how, "generous") == 0)
            (void)vhost_user_send(fd, &(struct vhost_user_message){.request = message.request,
                                                                   .flags = 5,
                                                                   .size = 8,
                                                                   .fds = {first},
                                                                   .fd_count = 1});
        else
            answer(fd, VHOST_USER_GET_FEATURES, 13); /* it was not asked */
        serve(fd);
    }
    return 0;
}

/* ---- the relay, and QEMU */

static int make_words(const struct play *play, const char *kind, const char *how,
                      const char *options, const char *mode)
{
    char self[256];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    int fd = memfd_create("words", MFD_CLOEXEC);

    assert_true(size > 0);
    self[size] = '\0';
    assert_true(dprintf(fd, "%s/in%c%s%c%s%c%s%c%s%c%c%crw%c%c%c%s%c%s%cvirtiofsd%c%s%c%s%c%s%c",
                        play->directory, 0, play->end, 0, play->status, 0, options, 0, mode, 0, 0,
                        0, 0, 0, 0, kind, 0, self, 0, 0, how, 0, play->marker, 0, play->spy,
                        0) > 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

void play_start(struct play *play, const char *how, const char *options, const char *mode)
{
    play_start_kind(play, "virtiofsd", how, options, mode);
}

void play_start_kind(struct play *play, const char *kind, const char *how, const char *options,
                     const char *mode)
{
    int words, listener;

    (void)snprintf(play->directory, sizeof(play->directory), "/tmp/relay-test-XXXXXX");
    assert_non_null(mkdtemp(play->directory));
    (void)snprintf(play->listener, sizeof(play->listener), "%s/sock", play->directory);
    (void)snprintf(play->marker, sizeof(play->marker), "%s/marker", play->directory);
    (void)snprintf(play->log, sizeof(play->log), "%s/log", play->directory);
    (void)snprintf(play->end, sizeof(play->end), "%s/end", play->directory);
    (void)snprintf(play->status, sizeof(play->status), "%s/ap", play->directory);
    (void)snprintf(play->spy, sizeof(play->spy), "%s/spy", play->directory);
    listener = listen_at(play->listener);
    words = make_words(play, kind, how, options, mode);
    play->spies = listen_at(play->spy);
    play->relay = fork();
    if (play->relay == 0) {
        int log = open(play->log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

        /* Out of the way of each other's places first. */
        log = fcntl(log, F_DUPFD_CLOEXEC, 10);
        words = fcntl(words, F_DUPFD_CLOEXEC, 10);
        listener = fcntl(listener, F_DUPFD_CLOEXEC, 10);
        if (dup2(words, 0) == 0 && dup2(log, 2) == 2 && dup2(listener, 3) == 3)
            (void)execlp("guestlink-virtiofs-relay", "guestlink-virtiofs-relay", (char *)NULL);
        _exit(99);
    }
    (void)close(words);
    (void)close(listener);
    play->qemu = connect_to(play->listener);
}

void say_with(const struct play *play, uint32_t request, uint32_t flags, const void *payload,
              uint32_t size, int fd)
{
    struct vhost_user_message message = {
        .request = request, .flags = 1 | flags, .size = size, .fds = {fd}, .fd_count = fd >= 0};

    if (size > 0)
        memcpy(message.payload, payload, size);
    assert_int_equal(vhost_user_send(play->qemu, &message), 0);
}

void say(const struct play *play, uint32_t request, uint32_t flags, const void *payload,
         uint32_t size)
{
    say_with(play, request, flags, payload, size, -1);
}

uint64_t answer_to(const struct play *play, uint32_t request)
{
    struct vhost_user_message message;
    uint64_t value;

    assert_true(hear(play->qemu, &message));
    assert_int_equal(message.request, request);
    assert_true(message.flags & VHOST_USER_FLAG_REPLY);
    assert_int_equal(message.size, sizeof(value));
    memcpy(&value, message.payload, sizeof(value));
    return value;
}

uint64_t ask(const struct play *play, uint32_t request)
{
    say(play, request, 0, NULL, 0);
    return answer_to(play, request);
}

bool is_hung_up(const struct play *play, int timeout_ms)
{
    struct pollfd end = {.fd = play->qemu};

    return poll(&end, 1, timeout_ms) > 0;
}

int wait_for_end(struct play *play)
{
    int status = 0;

    assert_int_equal(waitpid(play->relay, &status, 0), play->relay);
    play->relay = -1;
    return status;
}

bool has_ended(struct play *play)
{
    if (waitpid(play->relay, NULL, WNOHANG) != play->relay)
        return false;
    play->relay = -1;
    return true;
}

void need_said(const struct play *play, const char *text)
{
    char said[4096];
    int fd = open(play->log, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, said, sizeof(said) - 1);

    (void)close(fd);
    said[size > 0 ? size : 0] = '\0';
    if (!strstr(said, text))
        fail_msg("\"%s\" was not said, but: %s", text, said);
}

void play_stop(struct play *play)
{
    (void)close(play->qemu);
    if (play->relay > 0)
        (void)wait_for_end(play);
    (void)unlink(play->listener);
    (void)unlink(play->marker);
    (void)unlink(play->log);
    (void)unlink(play->end);
    aperture_status_remove(play->status);
    (void)unlink(play->spy);
    (void)close(play->spies);
    (void)rmdir(play->directory);
}

int play_next_spy(const struct play *play)
{
    struct pollfd coming = {.fd = play->spies, .events = POLLIN};
    int fd;

    assert_int_equal(poll(&coming, 1, WAIT_MS), 1);
    fd = accept4(play->spies, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}
