/* relay: the program itself, between a QEMU and a virtiofsd that do not keep to the protocol. The
 * test plays both. */
#include "descriptors.h"
#include "relay_play.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void sound_ones_are_passed_on(void **state)
{
    struct play play;

    (void)state;
    play_start(&play, "sound", "", "off");
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
    play_stop(&play);
}

static void qemu_cannot_speak_to_the_keeper(void **state)
{
    static const uint32_t requests[] = {0, VHOST_USER_REQUEST_LAST + 1, 0x10000, 0x10001, 0x10002};
    const int status = 9; /* as of one that was killed */

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct play play;

        play_start(&play, "sound", "", "off");
        say(&play, requests[i], 0, &status, sizeof(status));
        assert_true(is_hung_up(&play, WAIT_MS));
        assert_int_equal(wait_for_end(&play), 0);
        need_said(&play, "QEMU sent a message that vhost-user does not define");
        play_stop(&play);
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

            play_start(&play, "sound", "", "off");
            assert_int_equal(vhost_user_send(play.qemu, &message), 0);
            (void)close(tries[i].fd);
            if (tries[i].is_taken) {
                assert_int_equal(ask(&play, VHOST_USER_GET_QUEUE_NUM), 1);
            } else {
                assert_true(is_hung_up(&play, WAIT_MS));
                need_said(&play, "QEMU sent a message that vhost-user does not define");
            }
            play_stop(&play);
        }
    }
}

/* Nor is QEMU told that there may be such a connection. */
static void no_connection_past_the_relay_is_offered(void **state)
{
    struct play play;

    (void)state;
    play_start(&play, "sound", "", "off");
    assert_int_equal(ask(&play, VHOST_USER_GET_PROTOCOL_FEATURES), ANSWER & ~(1U << 5));
    play_stop(&play);
}

/* What virtiofsd hands back reaches QEMU no more than that: it is replaced by a second one. */
static void no_descriptor_comes_back(void **state)
{
    struct vhost_user_message message;
    struct play play;

    (void)state;
    play_start(&play, "generous", "", "off");
    say(&play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    assert_true(hear(play.qemu, &message));
    assert_int_equal(message.fd_count, 0);
    need_said(&play, "virtiofsd sent an answer without a question");
    play_stop(&play);
}

/* virtiofsd dies while QEMU has said half of a message: it is replaced then, and the message taken.
 */
static void half_a_message_holds_up_nobody(void **state)
{
    const uint32_t words[3] = {VHOST_USER_GET_FEATURES, 1, 0};
    struct play play;
    int status;

    (void)state;
    play_start(&play, "brief", "", "off");
    say(&play, VHOST_USER_SET_OWNER, 0, NULL, 0);
    assert_int_equal(write(play.qemu, words, 5), 5);
    status = wait_for_end(&play);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_false(is_hung_up(&play, 0));
    assert_int_equal(write(play.qemu, (const char *)words + 5, sizeof(words) - 5),
                     sizeof(words) - 5);
    assert_int_equal(answer_to(&play, VHOST_USER_GET_FEATURES), ANSWER);
    play_stop(&play);
}

/* Both in the time of one. virtiofsd said half an answer, and then no more: the second one is
 * asked. */
static void message_that_drips_and_half_an_answer_end_in_time(void **state)
{
    const uint32_t words[3] = {VHOST_USER_SET_FEATURES, 1, VHOST_USER_PAYLOAD_MAX};
    struct play play, half;
    unsigned drops = 0;

    (void)state;
    play_start(&half, "half", "", "off");
    say(&half, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    play_start(&play, "sound", "", "off");
    assert_int_equal(write(play.qemu, words, sizeof(words)), sizeof(words));
    while (!is_hung_up(&play, 500)) {
        assert_in_range(++drops, 0, WAIT_MS / 500 - 1);
        (void)send(play.qemu, "", 1, MSG_NOSIGNAL);
    }
    assert_int_equal(wait_for_end(&play), 0);
    need_said(&play, "QEMU sent an incomplete message");
    play_stop(&play);
    assert_int_equal(answer_to(&half, VHOST_USER_GET_FEATURES), ANSWER);
    (void)wait_for_end(&half);
    need_said(&half, "virtiofsd sent an incomplete answer");
    assert_int_equal(ask(&half, VHOST_USER_GET_FEATURES), ANSWER);
    play_stop(&half);
}

static void answer_that_nobody_asked_for_is_not_passed_on(void **state)
{
    struct play play;

    (void)state;
    play_start(&play, "chatty", "", "off");
    say(&play, VHOST_USER_SET_OWNER, 0, NULL, 0);
    (void)wait_for_end(&play);
    need_said(&play, "virtiofsd sent an answer without a question");
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    play_stop(&play);
}

static void virtiofsd_that_does_not_read_is_replaced(void **state)
{
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_FEATURES, .flags = 1, .size = sizeof(uint64_t)};
    struct play play;

    (void)state;
    play_start(&play, "deaf", "", "off");
    while (!has_ended(&play))
        if (vhost_user_send(play.qemu, &message) == -EAGAIN)
            assert_false(is_hung_up(&play, 10));
    need_said(&play, "virtiofsd does not read QEMU's messages");
    /* What stood in the way is passed on to the second one. */
    message = (struct vhost_user_message){.request = VHOST_USER_GET_FEATURES, .flags = 1};
    while (vhost_user_send(play.qemu, &message) == -EAGAIN)
        assert_false(is_hung_up(&play, 10));
    assert_int_equal(answer_to(&play, VHOST_USER_GET_FEATURES), ANSWER);
    play_stop(&play);
}

static void qemu_that_does_not_read_loses_its_connection(void **state)
{
    const struct vhost_user_message message = {.request = VHOST_USER_GET_FEATURES, .flags = 1};
    struct play play;

    (void)state;
    play_start(&play, "sound", "", "off");
    for (int r = 0; r == 0 || r == -EAGAIN;) {
        r = vhost_user_send(play.qemu, &message);
        if (r == -EAGAIN && is_hung_up(&play, 10))
            break;
    }
    assert_int_equal(wait_for_end(&play), 0);
    need_said(&play, "QEMU does not read its answer");
    play_stop(&play);
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
    play_start(&play, "brief", "", "off");
    message.fds[0] = memory;
    assert_int_equal(vhost_user_send(play.qemu, &message), 0);
    (void)close(memory);
    assert_int_equal(answer_to(&play, VHOST_USER_SET_MEM_TABLE), 0);
    assert_int_equal(ask(&play, VHOST_USER_GET_QUEUE_NUM), 1);
    play_stop(&play);
}

/* The second one is told all, and serves; who watches sees no end. */
static void passt_that_dies_is_followed_by_one_that_serves(void **state)
{
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_MEM_TABLE, .flags = 1, .fd_count = 1};
    int memory = memfd_create("memory", MFD_CLOEXEC);
    struct play play;
    char end[32] = "";
    int fd;

    (void)state;
    play_start_kind(&play, "passt", "mortal", "", "off");
    assert_int_equal(ask(&play, VHOST_USER_GET_FEATURES), ANSWER);
    message.fds[0] = memory;
    assert_int_equal(vhost_user_send(play.qemu, &message), 0);
    (void)close(memory);
    assert_int_equal(ask(&play, VHOST_USER_GET_QUEUE_NUM), 1);
    assert_false(has_ended(&play));
    fd = open(play.end, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, end, sizeof(end) - 1) > 0);
    (void)close(fd);
    assert_string_equal(end, "status 7\n");
    (void)close(play.qemu);
    play.qemu = -1;
    assert_int_equal(wait_for_end(&play), 0);
    play_stop(&play);
}

/* Else QEMU would wait for one after the other, and its monitor with it. */
static void passt_that_never_served_ends_the_relay(void **state)
{
    struct play play;

    (void)state;
    play_start_kind(&play, "passt", "brief", "", "off");
    say(&play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    assert_true(is_hung_up(&play, WAIT_MS));
    assert_int_equal(WEXITSTATUS(wait_for_end(&play)), 7);
    play_stop(&play);
}

static void kind_that_there_is_not_ends_the_relay(void **state)
{
    struct play play;

    (void)state;
    play_start_kind(&play, "passtd", "sound", "", "off");
    assert_int_equal(WEXITSTATUS(wait_for_end(&play)), 125);
    play_stop(&play);
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
        cmocka_unit_test(message_that_drips_and_half_an_answer_end_in_time),
        cmocka_unit_test(answer_that_nobody_asked_for_is_not_passed_on),
        cmocka_unit_test(virtiofsd_that_does_not_read_is_replaced),
        cmocka_unit_test(qemu_that_does_not_read_loses_its_connection),
        cmocka_unit_test(passt_that_dies_is_followed_by_one_that_serves),
        cmocka_unit_test(passt_that_never_served_ends_the_relay),
        cmocka_unit_test(kind_that_there_is_not_ends_the_relay),
        cmocka_unit_test(setting_that_killed_virtiofsd_is_acknowledged),
    };

    if (argc > 1 && strcmp(argv[1], "virtiofsd") == 0)
        return play_virtiofsd(argc, argv);
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
