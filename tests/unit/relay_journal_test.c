/* relay: what the relay notes is what its keeper knows, and nothing of it is left open. */
#include "descriptors.h"
#include "hostd/relay/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct journal relay, keeper;
static int connection; /* the keeper's end */

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    relay = (struct journal)JOURNAL_NULL;
    keeper = (struct journal)JOURNAL_NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    relay.keeper = ends[0];
    connection = ends[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_clear(&relay.session);
    session_clear(&keeper.session);
    if (relay.keeper >= 0)
        (void)close(relay.keeper);
    if (keeper.qemu >= 0)
        (void)close(keeper.qemu);
    (void)close(connection);
    return 0;
}

static enum journal_news hear(int *ret_status)
{
    *ret_status = -1;
    return journal_hear(&keeper, connection, ret_status);
}

static void need_entry(void)
{
    int status;

    assert_int_equal(hear(&status), JOURNAL_ENTRY);
}

static bool is_same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static struct vhost_user_message message_of(uint32_t request, const void *payload, uint32_t size)
{
    struct vhost_user_message message = {.request = request, .flags = 1, .size = size};

    memcpy(message.payload, payload, size);
    return message;
}

static void a_setting_and_its_descriptor_are_known_to_both(void **state)
{
    const uint64_t vring = 2;
    struct vhost_user_message message = message_of(VHOST_USER_SET_VRING_CALL, &vring, 8);
    const struct session_entry *entry;
    int pipe_ends[2];

    (void)state;
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    message.fds[0] = pipe_ends[1];
    message.fd_count = 1;
    journal_note_message(&relay, &message);
    need_entry();
    for (unsigned i = 0; i < 2; i++) {
        struct session *session = i ? &keeper.session : &relay.session;

        assert_int_equal(session->count, 1);
        entry = session_find(session, VHOST_USER_SET_VRING_CALL, 2);
        assert_non_null(entry);
        assert_int_equal(entry->message.size, 8);
        assert_memory_equal(entry->message.payload, &vring, 8);
        assert_int_equal(entry->message.fd_count, 1);
        assert_true(is_same_file(entry->message.fds[0], pipe_ends[1]));
    }
    assert_false(relay.is_asked || keeper.is_asked || relay.is_forgetful || keeper.is_forgetful);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

static void several_descriptors_arrive_in_order(void **state)
{
    struct vhost_user_message message = {.request = VHOST_USER_SET_MEM_TABLE, .flags = 1};
    struct {
        uint32_t count, padding;
        struct vhost_user_region regions[3];
    } table = {.count = 3};
    const struct session_entry *entry;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int ends[2];

        table.regions[i] = (struct vhost_user_region){
            .guest_address = i << 20, .size = 1 << 20, .user_address = (i + 8ul) << 20};
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0); /* each is another file */
        (void)close(ends[1]);
        message.fds[i] = ends[0];
    }
    message.fd_count = 3;
    message.size = sizeof(table);
    memcpy(message.payload, &table, sizeof(table));
    journal_note_message(&relay, &message);
    need_entry();
    entry = session_find(&keeper.session, VHOST_USER_SET_MEM_TABLE, 0);
    assert_non_null(entry);
    assert_int_equal(entry->message.fd_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(is_same_file(entry->message.fds[i], message.fds[i]));
    vhost_user_close(&message);
}

static void a_question_waits_until_it_is_answered(void **state)
{
    struct vhost_user_message features = message_of(VHOST_USER_GET_FEATURES, "", 0);
    const uint64_t value = 5;
    struct vhost_user_message setting = message_of(VHOST_USER_SET_FEATURES, &value, 8);

    (void)state;
    journal_note_message(&relay, &features);
    need_entry();
    assert_true(relay.is_asked && keeper.is_asked);
    assert_false(relay.is_setting || keeper.is_setting);
    assert_int_equal(keeper.asked.request, VHOST_USER_GET_FEATURES);
    assert_int_equal(keeper.asked.flags, 1);
    assert_int_equal(keeper.asked.fd_count, 0);
    journal_note_answered(&relay);
    need_entry();
    assert_false(relay.is_asked || keeper.is_asked);
    /* a setting that asks for an answer */
    setting.flags |= VHOST_USER_FLAG_NEED_REPLY;
    journal_note_message(&relay, &setting);
    need_entry();
    assert_true(relay.is_asked && keeper.is_asked);
    assert_true(relay.is_setting && keeper.is_setting);
    assert_int_equal(keeper.session.count, 1);
}

static void qemus_connection_is_handed_over(void **state)
{
    int qemu = eventfd(0, EFD_CLOEXEC);

    (void)state;
    journal_note_qemu(&relay, qemu);
    need_entry();
    assert_int_equal(relay.qemu, qemu);
    assert_true(keeper.qemu >= 0);
    assert_int_not_equal(keeper.qemu, qemu);
    assert_int_equal(fcntl(keeper.qemu, F_GETFD), FD_CLOEXEC);
    journal_note_qemu(&relay, -1); /* is told to nobody */
    assert_int_equal(relay.qemu, -1);
    journal_note_answered(&relay);
    need_entry();
    assert_true(keeper.qemu >= 0);
    (void)close(qemu);
}

static void that_memory_is_kept_from_virtiofsd_is_told_once(void **state)
{
    int status;

    (void)state;
    assert_false(keeper.is_enforced);
    journal_note_enforced(&relay);
    journal_note_enforced(&relay);
    need_entry();
    assert_true(relay.is_enforced && keeper.is_enforced);
    journal_note_ended(&relay, 7);
    assert_int_equal(hear(&status), JOURNAL_ENDED); /* the next entry */
}

static void that_the_device_is_held_is_known_until_it_goes_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        journal_note_held(&relay, true);
        need_entry();
        assert_true(relay.is_held && keeper.is_held);
        journal_note_held(&relay, false);
        need_entry();
        assert_false(relay.is_held || keeper.is_held);
    }
    assert_false(keeper.is_asked || keeper.is_enforced);
}

/* A question's descriptors are the session's alone, and those of none are closed. */
static void the_largest_message_arrives_whole(void **state)
{
    struct vhost_user_message message = {.request = VHOST_USER_GET_CONFIG,
                                         .flags = 1 | VHOST_USER_FLAG_NEED_REPLY,
                                         .size = VHOST_USER_PAYLOAD_MAX,
                                         .fd_count = VHOST_USER_FDS_MAX};

    (void)state;
    for (size_t i = 0; i < message.size; i++)
        message.payload[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < message.fd_count; i++)
        message.fds[i] = eventfd(0, EFD_CLOEXEC);
    journal_note_message(&relay, &message);
    vhost_user_close(&message);
    need_entry();
    for (unsigned i = 0; i < 2; i++) {
        const struct journal *journal = i ? &keeper : &relay;

        assert_true(journal->is_asked);
        assert_int_equal(journal->asked.flags, 1 | VHOST_USER_FLAG_NEED_REPLY);
        assert_int_equal(journal->asked.size, message.size);
        assert_memory_equal(journal->asked.payload, message.payload, message.size);
        assert_int_equal(journal->asked.fd_count, 0);
    }
}

static void an_end_is_the_last_entry(void **state)
{
    int status;

    (void)state;
    journal_note_ended(&relay, 0x700);
    assert_int_equal(relay.keeper, -1);
    assert_int_equal(hear(&status), JOURNAL_ENDED);
    assert_int_equal(status, 0x700);
    errno = EINTR; /* of something before */
    assert_int_equal(hear(&status), JOURNAL_SILENCE);
    assert_int_equal(status, -1);
}

static void a_relay_without_a_keeper_goes_on(void **state)
{
    const uint64_t value = 5;
    struct vhost_user_message setting = message_of(VHOST_USER_SET_FEATURES, &value, 8);
    int status;

    (void)state;
    (void)shutdown(connection, SHUT_RDWR); /* it was killed */
    journal_note_message(&relay, &setting);
    journal_note_answered(&relay);
    assert_int_equal(relay.session.count, 1);
    journal_note_ended(&relay, 0);
    journal_note_message(&relay, &setting);
    journal_note_enforced(&relay);
    journal_note_ended(&relay, 0);
    assert_int_equal(relay.session.count, 1);
    assert_true(relay.is_enforced);
    assert_int_equal(hear(&status), JOURNAL_SILENCE);
}

static void what_is_no_record_is_silence(void **state)
{
    static const char zeros[64];
    int status;

    (void)state;
    assert_int_equal(send(relay.keeper, zeros, 1, 0), 1);
    assert_int_equal(hear(&status), JOURNAL_SILENCE);
    assert_int_equal(send(relay.keeper, zeros, sizeof(zeros), 0), sizeof(zeros)); /* too long */
    assert_int_equal(hear(&status), JOURNAL_SILENCE);
    assert_int_equal(keeper.session.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_setting_and_its_descriptor_are_known_to_both),
        TEST(several_descriptors_arrive_in_order),
        TEST(a_question_waits_until_it_is_answered),
        TEST(qemus_connection_is_handed_over),
        TEST(that_memory_is_kept_from_virtiofsd_is_told_once),
        TEST(that_the_device_is_held_is_known_until_it_goes_on),
        TEST(the_largest_message_arrives_whole),
        TEST(an_end_is_the_last_entry),
        TEST(a_relay_without_a_keeper_goes_on),
        TEST(what_is_no_record_is_silence),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
