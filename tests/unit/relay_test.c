/* relay: the program itself, between a QEMU and a virtiofsd that do not keep to the protocol. The
 * test plays both. */
#include "descriptors.h"
#include "hostd/relay/vhost_user.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* For what must come, on however slow a machine. */
#define WAIT_MS 60000

/* What a virtiofsd of the test's answers to any question. */
#define ANSWER 42u

/* ---- virtiofsd */

/* Waits for the next message. @return false at the end */
static bool hear(int fd, struct vhost_user_message *message)
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

/* The first one does what its mode says, whoever comes after it is sound. */
static int play_virtiofsd(const char *mode, const char *marker)
{
    static struct vhost_user_message message;
    int first = open(marker, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int fd = accept4(3, NULL, NULL, SOCK_CLOEXEC);

    if (first < 0 || strcmp(mode, "sound") == 0) {
        serve(fd);
    } else if (strcmp(mode, "deaf") == 0) {
        (void)pause();
    } else if (strcmp(mode, "brief") == 0) {
        (void)hear(fd, &message);
        return 7;
    } else if (hear(fd, &message)) {
        if (strcmp(mode, "half") == 0)
            (void)!write(fd, &message.request, sizeof(message.request));
        else if (strcmp(mode, "generous") == 0)
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

struct play {
    char directory[32], listener[64], marker[64], log[64], end[64];
    pid_t relay; /* its keeper, which is what the daemon watches */
    int qemu;
};

static int make_words(const struct play *play, const char *mode)
{
    char self[256];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    int fd = memfd_create("words", MFD_CLOEXEC);

    assert_true(size > 0);
    self[size] = '\0';
    assert_true(dprintf(fd, "%s/in%c%s%c%c%c%s%cvirtiofsd%c%s%c%s%c", play->directory, 0, play->end,
                        0, 0, 0, self, 0, 0, mode, 0, play->marker, 0) > 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void start(struct play *play, const char *mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int words, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(play->directory, sizeof(play->directory), "/tmp/relay-test-XXXXXX");
    assert_non_null(mkdtemp(play->directory));
    (void)snprintf(play->listener, sizeof(play->listener), "%s/sock", play->directory);
    (void)snprintf(play->marker, sizeof(play->marker), "%s/marker", play->directory);
    (void)snprintf(play->log, sizeof(play->log), "%s/log", play->directory);
    (void)snprintf(play->end, sizeof(play->end), "%s/end", play->directory);
    memcpy(address.sun_path, play->listener, sizeof(play->listener));
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    words = make_words(play, mode);
    play->relay = fork();
    if (play->relay == 0) {
        int log = open(play->log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

        if (dup2(words, 0) == 0 && dup2(log, 2) == 2 && dup2(listener, 3) == 3 &&
            fcntl(3, F_SETFD, 0) == 0)
            (void)execlp("guestlink-virtiofs-relay", "guestlink-virtiofs-relay", (char *)NULL);
        _exit(99);
    }
    (void)close(words);
    (void)close(listener);
    play->qemu = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(play->qemu, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void say(const struct play *play, uint32_t request, uint32_t flags, const void *payload,
                uint32_t size)
{
    struct vhost_user_message message = {.request = request, .flags = 1 | flags, .size = size};

    if (size > 0)
        memcpy(message.payload, payload, size);
    assert_int_equal(vhost_user_send(play->qemu, &message), 0);
}

/* @return what the answer to @p request says */
static uint64_t answer_to(const struct play *play, uint32_t request)
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

static uint64_t ask(const struct play *play, uint32_t request)
{
    say(play, request, 0, NULL, 0);
    return answer_to(play, request);
}

static bool is_hung_up(const struct play *play, int timeout_ms)
{
    struct pollfd end = {.fd = play->qemu};

    return poll(&end, 1, timeout_ms) > 0;
}

/* How the process ended that the daemon watches. */
static int wait_for_end(struct play *play)
{
    int status = 0;

    assert_int_equal(waitpid(play->relay, &status, 0), play->relay);
    play->relay = -1;
    return status;
}

static bool has_ended(struct play *play)
{
    if (waitpid(play->relay, NULL, WNOHANG) != play->relay)
        return false;
    play->relay = -1;
    return true;
}

static void need_said(const struct play *play, const char *text)
{
    char said[4096];
    int fd = open(play->log, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, said, sizeof(said) - 1);

    (void)close(fd);
    said[size > 0 ? size : 0] = '\0';
    if (!strstr(said, text))
        fail_msg("\"%s\" was not said, but: %s", text, said);
}

static void stop(struct play *play)
{
    (void)close(play->qemu);
    if (play->relay > 0)
        (void)wait_for_end(play);
    (void)unlink(play->listener);
    (void)unlink(play->marker);
    (void)unlink(play->log);
    (void)unlink(play->end);
    (void)rmdir(play->directory);
}

static void sound_ones_are_passed_on(void **state)
{
    struct play play;

    (void)state;
    start(&play, "sound");
    say(&play, VHOST_USER_SET_OWNER, 0, NULL, 0);
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    say(&play, VHOST_USER_SET_FEATURES, VHOST_USER_FLAG_NEED_REPLY, &(uint64_t){1}, 8);
    assert_int_equal(answer_to(&play, VHOST_USER_SET_FEATURES), ANSWER);
    /* All at once: each has its answer, in order. */
    for (size_t i = 0; i < 20; i++)
        say(&play, i % 2 ? VHOST_USER_GET_FEATURES : VHOST_USER_GET_QUEUE_NUM, 0, NULL, 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(
            answer_to(&play, i % 2 ? VHOST_USER_GET_FEATURES : VHOST_USER_GET_QUEUE_NUM),
            i % 2 ? ANSWER : 0);
    (void)close(play.qemu);
    play.qemu = -1;
    assert_int_equal(wait_for_end(&play), 0);
    stop(&play);
}

static void qemu_cannot_speak_to_the_keeper(void **state)
{
    static const uint32_t requests[] = {0, VHOST_USER_REQUEST_LAST + 1, 0x10000, 0x10001, 0x10002};
    const int status = 9; /* as of one that was killed */

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct play play;

        start(&play, "sound");
        say(&play, requests[i], 0, &status, sizeof(status));
        assert_true(is_hung_up(&play, WAIT_MS));
        assert_int_equal(wait_for_end(&play), 0);
        need_said(&play, "QEMU said what vhost-user does not have");
        stop(&play);
    }
}

/* With a folder of the host, or a file that it opens again to write, a virtiofsd that is root would
 * be out of its jail; a connection would bring it more of them. */
static void nothing_but_memory_and_events_comes_to_virtiofsd(void **state)
{
    int sockets[2], pipes[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    {
        const struct {
            int fd;
            uint32_t request, flags;
            bool is_taken;
        } tries[] = {
            {memfd_create("memory", MFD_CLOEXEC), VHOST_USER_SET_MEM_TABLE, 1, true},
            {eventfd(0, EFD_CLOEXEC), VHOST_USER_SET_MEM_TABLE, 1, true},
            {pipes[0], VHOST_USER_SET_MEM_TABLE, 1, true},
            {pipes[1], VHOST_USER_SET_MEM_TABLE, 2, false}, /* another version's */
            {open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), VHOST_USER_SET_MEM_TABLE, 1, false},
            {open("/", O_PATH | O_CLOEXEC), VHOST_USER_SET_VRING_CALL, 1, false},
            {open("/proc/self/exe", O_RDONLY | O_CLOEXEC), VHOST_USER_SET_MEM_TABLE, 1, false},
            {open("/proc/self/exe", O_PATH | O_CLOEXEC), VHOST_USER_SET_MEM_TABLE, 1, false},
            {open("/dev/null", O_RDWR | O_CLOEXEC), VHOST_USER_SET_VRING_KICK, 1, false},
            {sockets[0], VHOST_USER_SET_BACKEND_REQ_FD, 1, false},
            {sockets[1], VHOST_USER_SET_VRING_ERR, 1, false},
        };

        for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
            struct vhost_user_message message = {.request = tries[i].request,
                                                 .flags = tries[i].flags,
                                                 .fds = {tries[i].fd},
                                                 .fd_count = 1};
            struct play play;

            start(&play, "sound");
            assert_int_equal(vhost_user_send(play.qemu, &message), 0);
            (void)close(tries[i].fd);
            if (tries[i].is_taken) {
                assert_int_equal(ask(&play, VHOST_USER_GET_QUEUE_NUM), 1);
            } else {
                assert_true(is_hung_up(&play, WAIT_MS));
                need_said(&play, "QEMU sent what vhost-user does not have");
            }
            stop(&play);
        }
    }
}

/* Nor is QEMU told that there may be such a connection. */
static void no_connection_past_the_relay_is_offered(void **state)
{
    struct play play;

    (void)state;
    start(&play, "sound");
    assert_int_equal(ask(&play, VHOST_USER_GET_PROTOCOL_FEATURES), ANSWER & ~(1U << 5));
    stop(&play);
}

/* What virtiofsd hands back reaches QEMU no more than that: it is replaced by a second one. */
static void no_descriptor_comes_back(void **state)
{
    struct vhost_user_message message;
    struct play play;

    (void)state;
    start(&play, "generous");
    say(&play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    assert_true(hear(play.qemu, &message));
    assert_int_equal(message.fd_count, 0);
    need_said(&play, "virtiofsd said what nobody had asked");
    stop(&play);
}

/* virtiofsd dies while QEMU has said half of a message: it is replaced then, and the message taken.
 */
static void half_a_message_holds_up_nobody(void **state)
{
    const uint32_t words[3] = {VHOST_USER_GET_FEATURES, 1, 0};
    struct play play;
    int status;

    (void)state;
    start(&play, "brief");
    say(&play, VHOST_USER_SET_OWNER, 0, NULL, 0);
    assert_int_equal(write(play.qemu, words, 5), 5);
    status = wait_for_end(&play);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_false(is_hung_up(&play, 0));
    assert_int_equal(write(play.qemu, (const char *)words + 5, sizeof(words) - 5),
                     sizeof(words) - 5);
    assert_int_equal(answer_to(&play, VHOST_USER_GET_FEATURES), ANSWER);
    stop(&play);
}

static void message_that_drips_ends_in_time(void **state)
{
    const uint32_t words[3] = {VHOST_USER_SET_FEATURES, 1, VHOST_USER_PAYLOAD_MAX};
    struct play play;
    unsigned drops = 0;

    (void)state;
    start(&play, "sound");
    assert_int_equal(write(play.qemu, words, sizeof(words)), sizeof(words));
    while (!is_hung_up(&play, 500)) {
        assert_in_range(++drops, 0, WAIT_MS / 500 - 1);
        (void)send(play.qemu, "", 1, MSG_NOSIGNAL);
    }
    assert_int_equal(wait_for_end(&play), 0);
    need_said(&play, "QEMU left a message half said");
    stop(&play);
}

/* virtiofsd said half an answer, and then no more: the second one is asked. */
static void half_an_answer_ends_virtiofsd_in_time(void **state)
{
    struct play play;

    (void)state;
    start(&play, "half");
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    (void)wait_for_end(&play);
    need_said(&play, "virtiofsd left an answer half said");
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    stop(&play);
}

static void answer_that_nobody_asked_for_is_not_passed_on(void **state)
{
    struct play play;

    (void)state;
    start(&play, "chatty");
    say(&play, VHOST_USER_SET_OWNER, 0, NULL, 0);
    (void)wait_for_end(&play);
    need_said(&play, "virtiofsd said what nobody had asked");
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    stop(&play);
}

static void virtiofsd_that_does_not_read_is_replaced(void **state)
{
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_FEATURES, .flags = 1, .size = sizeof(uint64_t)};
    struct play play;

    (void)state;
    start(&play, "deaf");
    while (!has_ended(&play))
        if (vhost_user_send(play.qemu, &message) == -EAGAIN)
            assert_false(is_hung_up(&play, 10));
    need_said(&play, "virtiofsd does not read what QEMU says");
    /* What stood in the way is passed on to the second one. */
    message = (struct vhost_user_message){.request = VHOST_USER_GET_FEATURES, .flags = 1};
    while (vhost_user_send(play.qemu, &message) == -EAGAIN)
        assert_false(is_hung_up(&play, 10));
    assert_int_equal(answer_to(&play, VHOST_USER_GET_FEATURES), ANSWER);
    stop(&play);
}

static void qemu_that_does_not_read_loses_its_connection(void **state)
{
    const struct vhost_user_message message = {.request = VHOST_USER_GET_FEATURES, .flags = 1};
    struct play play;

    (void)state;
    start(&play, "sound");
    for (int r = 0; r == 0 || r == -EAGAIN;) {
        r = vhost_user_send(play.qemu, &message);
        if (r == -EAGAIN && is_hung_up(&play, 10))
            break;
    }
    assert_int_equal(wait_for_end(&play), 0);
    need_said(&play, "QEMU does not read its answer");
    stop(&play);
}

/* The second one gets the memory with its file, and QEMU the answer that it waits for. */
static void setting_that_killed_virtiofsd_is_acknowledged(void **state)
{
    struct vhost_user_message message = {.request = VHOST_USER_SET_MEM_TABLE,
                                         .flags = 1 | VHOST_USER_FLAG_NEED_REPLY,
                                         .size = 8,
                                         .fd_count = 1};
    struct play play;
    int memory = memfd_create("memory", MFD_CLOEXEC);

    (void)state;
    start(&play, "brief");
    message.fds[0] = memory;
    assert_int_equal(vhost_user_send(play.qemu, &message), 0);
    (void)close(memory);
    assert_int_equal(answer_to(&play, VHOST_USER_SET_MEM_TABLE), 0);
    assert_int_equal(ask(&play, VHOST_USER_GET_QUEUE_NUM), 1);
    stop(&play);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_memory_and_events_comes_to_virtiofsd),
        cmocka_unit_test(no_connection_past_the_relay_is_offered),
        cmocka_unit_test(no_descriptor_comes_back),
        cmocka_unit_test(sound_ones_are_passed_on),
        cmocka_unit_test(qemu_cannot_speak_to_the_keeper),
        cmocka_unit_test(half_a_message_holds_up_nobody),
        cmocka_unit_test(message_that_drips_ends_in_time),
        cmocka_unit_test(half_an_answer_ends_virtiofsd_in_time),
        cmocka_unit_test(answer_that_nobody_asked_for_is_not_passed_on),
        cmocka_unit_test(virtiofsd_that_does_not_read_is_replaced),
        cmocka_unit_test(qemu_that_does_not_read_loses_its_connection),
        cmocka_unit_test(setting_that_killed_virtiofsd_is_acknowledged),
    };

    if (argc == 4 && strcmp(argv[1], "virtiofsd") == 0)
        return play_virtiofsd(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
