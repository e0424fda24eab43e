/* relay: a process that says half of something, or nothing. The test plays it, and QEMU; the clock
 * is the test's. */
#include "descriptors.h"
#include "folder.h"
#include "hostd/relay/relay_backend.h"
#include "hostd/relay/replay.h"
#include "relay_play.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* What the clocks of the test and of its children are ahead. */
static volatile int64_t *ahead_s;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int r = __real_clock_gettime(clock, now);

    now->tv_sec += *ahead_s;
    return r;
}

/* Looks at the clock again soon; who waits for that long alone does not. */
int __real_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout)
{
    return __real_poll(pollers, count, timeout > 1000 && timeout < WAIT_MS ? 10 : timeout);
}

/* The first bytes of an answer, with as many descriptors as a message may have. */
static void say_half(int fd, uint32_t request)
{
    const uint32_t words[] = {request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY};
    union {
        struct cmsghdr header;
        char data[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
    } control = {.data = {0}};
    struct iovec vector = {.iov_base = (void *)words, .iov_len = sizeof(words)};
    const struct msghdr header = {.msg_iov = &vector,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control)};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int) * VHOST_USER_FDS_MAX);
    for (size_t i = 0; i < VHOST_USER_FDS_MAX; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(fd), &fd, sizeof(fd));
    assert_int_equal(sendmsg(fd, &header, 0), sizeof(words));
}

static void what_is_put_takes_the_place_of_half_a_message(void **state)
{
    const struct vhost_user_message message = {.request = VHOST_USER_SET_OWNER, .flags = 5};
    struct passage passage = {.is_whole = false};
    struct vhost_user_message passed;
    int in[2], out[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
    say_half(in[1], VHOST_USER_GET_FEATURES);
    assert_int_equal(passage_read(&passage, in[0]), 0);
    assert_int_equal(passage.message.fd_count, VHOST_USER_FDS_MAX);
    passage_put(&passage, &message);
    assert_int_equal(passage_write(&passage, out[0]), 0);
    assert_true(hear(out[1], &passed));
    assert_int_equal(passed.request, VHOST_USER_SET_OWNER);
    assert_int_equal(passed.fd_count, 0);
    for (size_t i = 0; i < 2; i++) {
        (void)close(in[i]);
        (void)close(out[i]);
    }
}

static void half_an_answer_of_one_that_is_asked_leaves_nothing(void **state)
{
    const struct vhost_user_message features = {
        .request = VHOST_USER_SET_PROTOCOL_FEATURES, .flags = 1, .size = sizeof(uint64_t)};
    struct aperture none = APERTURE_NULL;
    struct session session = {0};
    const char *reason;
    int ends[2];

    (void)state;
    assert_int_equal(session_note(&session, &features), 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    say_half(ends[1], VHOST_USER_GET_FEATURES);
    assert_int_equal(replay_session(&session, &none, ends[0], &reason), -ETIMEDOUT);
    session_clear(&session);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- a relay, between the test as QEMU and the test as its first process */

struct scene {
    char folder[FOLDER_BYTES], socket[FOLDER_BYTES + 8], end[FOLDER_BYTES + 8];
    char self[PATH_MAX];
    char *argv[6];
    struct relay relay;
    struct play play; /* the connection of QEMU alone */
    int process;
};

static void begin(struct scene *scene, const char *options, const char *mode)
{
    int up[2], down[2];
    ssize_t size;

    *scene = (struct scene){.relay = RELAY_NULL};
    folder_make(scene->folder);
    (void)snprintf(scene->socket, sizeof(scene->socket), "%s/in", scene->folder);
    (void)snprintf(scene->end, sizeof(scene->end), "%s/end", scene->folder);
    size = readlink("/proc/self/exe", scene->self, sizeof(scene->self) - 1);
    assert_true(size > 0);
    memcpy(scene->argv,
           (char *[]){scene->self, (char *)"virtiofsd", (char *)"sound", scene->end, scene->end},
           5 * sizeof(char *));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, up), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, down), 0);
    scene->play.qemu = up[0];
    scene->process = down[0];
    scene->relay.kind = kind_find("virtiofsd");
    scene->relay.socket = scene->socket;
    scene->relay.end_file = scene->end;
    scene->relay.argv = scene->argv;
    scene->relay.journal.qemu = up[1];
    scene->relay.backend.fd = down[1];
    assert_int_equal(aperture_open(&scene->relay.aperture, options, mode, "", NULL), 0);
}

/* Lets it run. */
static void run(struct scene *scene)
{
    scene->play.relay = fork();
    if (scene->play.relay == 0) {
        (void)close(scene->play.qemu);
        (void)close(scene->process);
        relay_run(&scene->relay);
        _exit(0);
    }
    (void)close(scene->relay.journal.qemu);
    (void)close(scene->relay.backend.fd);
    scene->relay.journal.qemu = scene->relay.backend.fd = -1;
}

static void end(struct scene *scene)
{
    (void)close(scene->play.qemu);
    (void)close(scene->process);
    if (scene->play.relay > 0)
        (void)wait_for_end(&scene->play);
    if (scene->relay.journal.qemu >= 0)
        (void)close(scene->relay.journal.qemu);
    if (scene->relay.backend.fd >= 0)
        (void)backend_end(&scene->relay.backend);
    if (scene->relay.aperture.device >= 0)
        (void)close(scene->relay.aperture.device);
    folder_remove(scene->folder);
}

/* One that read it, and says nothing: QEMU stands, and with it its monitor. */
static void process_that_never_answers_is_replaced(void **state)
{
    struct vhost_user_message message;
    struct pollfd answer = {.events = POLLIN};
    struct scene scene;

    (void)state;
    begin(&scene, "", "off");
    run(&scene);
    for (int i = 0; i < 2; i++) { /* what has no answer, for as long as it likes */
        say(&scene.play, VHOST_USER_SET_OWNER, 0, NULL, 0);
        assert_true(hear(scene.process, &message));
        *ahead_s += PASSAGE_ANSWER_MS / 1000 + 1;
    }
    say(&scene.play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    assert_true(hear(scene.process, &message));
    assert_int_equal(message.request, VHOST_USER_GET_FEATURES);
    (void)poll(NULL, 0, 50); /* it counts from here, at the latest */
    *ahead_s += PASSAGE_ANSWER_MS / 1000 - 5;
    answer.fd = scene.play.qemu;
    assert_int_equal(poll(&answer, 1, 100), 0);
    *ahead_s += 6;
    assert_int_equal(answer_to(&scene.play, VHOST_USER_GET_FEATURES), ANSWER);
    assert_false(hear(scene.process, &message));
    /* One that answers is waited for anew each time. */
    for (int i = 0; i < 2; i++) {
        *ahead_s += PASSAGE_ANSWER_MS / 1000 + 1;
        (void)poll(NULL, 0, 50);
        assert_int_equal(ask(&scene.play, VHOST_USER_GET_FEATURES), ANSWER);
    }
    end(&scene);
}

/* A setting that is to be acknowledged was made by the process after that one. */
static void process_that_acknowledges_nothing_is_replaced(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "", "off");
    run(&scene);
    say(&scene.play, VHOST_USER_SET_VRING_ENABLE, VHOST_USER_FLAG_NEED_REPLY,
        (const uint32_t[]){0, 1}, 8);
    assert_true(hear(scene.process, &message));
    (void)poll(NULL, 0, 50);
    *ahead_s += PASSAGE_ANSWER_MS / 1000 + 1;
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_VRING_ENABLE), 0);
    end(&scene);
}

/* Where the ring stopped is what the process had used up; the next one was never at work on it.
 * What waits in it when QEMU goes on is announced to that one. */
static void ring_that_its_process_does_not_stop_goes_on_where_it_was(void **state)
{
    static const uint64_t user = UINT64_C(0x7f0000000000);
    const struct vhost_user_region region = {.size = 8192, .user_address = user};
    const struct vhost_user_vring_address address = {.index = 1, .used = user + 4096};
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_MEM_TABLE, .flags = 1, .size = 8 + sizeof(region), .fd_count = 1};
    int memory = memfd_create("memory", MFD_CLOEXEC), kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct scene scene;
    uint64_t kicks;

    (void)state;
    assert_int_equal(pwrite(memory, &(uint16_t){777}, 2, 4096 + 2), 2);
    begin(&scene, "", "off");
    run(&scene);
    memcpy(message.payload, &(uint32_t){1}, sizeof(uint32_t));
    memcpy(message.payload + 8, &region, sizeof(region));
    message.fds[0] = memory;
    assert_int_equal(vhost_user_send(scene.play.qemu, &message), 0);
    say(&scene.play, VHOST_USER_SET_VRING_ADDR, 0, &address, sizeof(address));
    say(&scene.play, VHOST_USER_GET_VRING_BASE, 0, (const uint32_t[]){1, 0}, 8);
    while (message.request != VHOST_USER_GET_VRING_BASE) {
        assert_true(hear(scene.process, &message));
        vhost_user_close(&message);
    }
    (void)poll(NULL, 0, 50);
    *ahead_s += PASSAGE_ANSWER_MS / 1000 + 1;
    assert_int_equal(answer_to(&scene.play, VHOST_USER_GET_VRING_BASE), 1 | UINT64_C(777) << 32);
    say_with(&scene.play, VHOST_USER_SET_VRING_KICK, 0, &(uint64_t){1}, 8, kick);
    assert_int_equal(ask(&scene.play, VHOST_USER_GET_FEATURES), ANSWER);
    assert_int_equal(read(kick, &kicks, sizeof(kicks)), sizeof(kicks));
    end(&scene);
    (void)close(memory);
    (void)close(kick);
}

static unsigned count_descriptors(pid_t pid)
{
    char path[32];
    unsigned count = 0;
    DIR *folder;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    (void)closedir(folder);
    return count;
}

/* As the guest makes it do, again and again, by what QEMU says when a driver begins. */
static void answer_of_the_relays_own_leaves_nothing_of_half_a_one(void **state)
{
    struct scene scene;
    unsigned count;
    int ends[2];

    (void)state;
    begin(&scene, "swiotlb=0x400000,2097152", "auto");
    run(&scene);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            say_half(scene.process, VHOST_USER_GET_FEATURES);
        say_with(&scene.play, VHOST_USER_SET_BACKEND_REQ_FD, VHOST_USER_FLAG_NEED_REPLY, NULL, 0,
                 ends[0]);
        assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_BACKEND_REQ_FD), 0);
        if (i == 0)
            count = count_descriptors(scene.play.relay);
        else
            assert_int_equal(count_descriptors(scene.play.relay), count);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    end(&scene);
}

/* The next one's first bytes are its own. Half of what QEMU says goes on where it was. */
static void next_process_inherits_no_half_answer(void **state)
{
    const uint32_t words[] = {VHOST_USER_GET_FEATURES, 1, 0};
    const struct vhost_user_message message = {.request = VHOST_USER_SET_OWNER, .flags = 1};
    struct scene scene;

    (void)state;
    begin(&scene, "", "off");
    say_half(scene.process, VHOST_USER_GET_FEATURES);
    assert_int_equal(passage_read(&scene.relay.answer, scene.relay.backend.fd), 0);
    assert_int_equal(write(scene.play.qemu, words, 5), 5);
    assert_int_equal(passage_read(&scene.relay.question, scene.relay.journal.qemu), 0);
    relay_renew(&scene.relay);
    assert_int_equal(scene.relay.answer.message.received, 0);
    assert_int_equal(scene.relay.answer.message.fd_count, 0);
    assert_int_equal(scene.relay.question.message.received, 5);
    /* What the one before was not told, the next one was told with all the rest. */
    passage_put(&scene.relay.question, &message);
    scene.relay.has_next = true;
    relay_renew(&scene.relay);
    assert_false(scene.relay.question.is_whole);
    assert_false(scene.relay.has_next);
    end(&scene);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_takes_the_place_of_half_a_message),
        cmocka_unit_test(half_an_answer_of_one_that_is_asked_leaves_nothing),
        cmocka_unit_test(next_process_inherits_no_half_answer),
        cmocka_unit_test(answer_of_the_relays_own_leaves_nothing_of_half_a_one),
        cmocka_unit_test(process_that_never_answers_is_replaced),
        cmocka_unit_test(process_that_acknowledges_nothing_is_replaced),
        cmocka_unit_test(ring_that_its_process_does_not_stop_goes_on_where_it_was),
    };

    ahead_s =
        mmap(NULL, sizeof(*ahead_s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ahead_s == MAP_FAILED)
        return EXIT_FAILURE;
    if (argc > 1 && strcmp(argv[1], "virtiofsd") == 0)
        return play_virtiofsd(argc, argv);
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
