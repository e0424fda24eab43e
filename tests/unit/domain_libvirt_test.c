/* domain libvirt: one guestlink-libvirt is shared, asked whether it lives, killed if it hangs, and
 * started again after growing pauses; its users hear of that, and each call is answered once. It is
 * played, and time passes when the test says so. */
#include "base/json.h"
#include "descriptors.h"
#include "domain/advice.h"
#include "domain/description.h"
#include "domain/libvirt.h"
#include "libvirt_played.h"
#include "played_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS 60000u

static struct libvirt_played *const played = &libvirt_played;
static sd_event *event;

/* A user, and what it heard. */
static struct user {
    struct libvirt_user *libvirt;
    unsigned ups, downs, events, replies;
    char text[1024], name[64], reply_text[1024];
    int error;
} users[2];

static void on_up(void *userdata)
{
    struct user *user = userdata;

    user->ups++;
}

static void on_down(void *userdata, const char *text)
{
    struct user *user = userdata;

    user->downs++;
    (void)snprintf(user->text, sizeof(user->text), "%s", text);
}

static void on_event(void *userdata, const char *name, struct json_object *message)
{
    struct user *user = userdata;

    assert_non_null(message);
    user->events++;
    (void)snprintf(user->name, sizeof(user->name), "%s", name);
}

static void on_reply(void *userdata, const struct libvirt_reply *reply)
{
    struct user *user = userdata;

    user->replies++;
    user->error = reply->error;
    (void)snprintf(user->reply_text, sizeof(user->reply_text), "%s", reply->text);
}

static void join(struct user *user, const char *domain)
{
    static const struct libvirt_events events = {.up = on_up, .down = on_down, .event = on_event};

    assert_int_equal(libvirt_join(event, "test:///uri", domain, &events, user, &user->libvirt), 0);
}

static int describe(struct user *user, uint32_t timeout_ms)
{
    return libvirt_call(user->libvirt, "describe", json_texts("more", "words", NULL), timeout_ms,
                        on_reply, user);
}

/* Makes calls with so many bytes until no other has room. @return how many */
static unsigned fill(struct user *user, size_t size)
{
    char text[16384];
    unsigned calls = 0;

    memset(text, 'x', sizeof(text));
    text[size] = '\0';
    /* The shortest is shorter than a ping. */
    while (libvirt_call(user->libvirt, "", size > 0 ? json_texts("more", text, NULL) : NULL,
                        MINUTE_MS, on_reply, user) == 0) {
        played_clock_pass(event, 0);
        assert_true(++calls < 200); /* of the timers that can be played */
    }
    return calls;
}

/* What is due is done; no time passes but the real one. */
static void settle(void)
{
    for (unsigned i = 0; i < 10; i++)
        played_clock_pass(event, 0);
}

static void pass(uint64_t ms)
{
    played_clock_pass(event, ms);
    settle();
}

static int set_up(void **state)
{
    (void)state;
    memset(users, 0, sizeof(users));
    libvirt_played_begin();
    assert_int_equal(sd_event_new(&event), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        users[i].libvirt = libvirt_leave(users[i].libvirt);
    settle();
    assert_int_equal(played->fd, -1); /* it ends with its last user */
    libvirt_played_end();
    sd_event_unref(event);
    return 0;
}

static void expect_down(const struct user *user, unsigned downs, const char *text)
{
    assert_int_equal(user->downs, downs);
    if (!strstr(user->text, text))
        fail_msg("\"%s\" is not in: %s", text, user->text);
}

static void one_that_hangs_is_killed_and_started_again(void **state)
{
    (void)state;
    join(&users[0], "dev");
    assert_int_equal(played->starts, 0); /* in the loop's next turn */
    settle();
    assert_int_equal(users[0].ups, 1);
    assert_int_equal(played->pings, 1);
    assert_string_equal(libvirt_hypervisor(users[0].libvirt), "10.0.3");
    pass(LIBVIRT_PING_MS);
    pass(LIBVIRT_PING_MS);
    assert_int_equal(played->pings, 3);
    assert_int_equal(users[0].downs, 0);
    played->hangs = true;
    pass(LIBVIRT_PING_MS);
    assert_int_equal(played->pings, 4);
    assert_int_equal(users[0].downs, 0);
    pass(LIBVIRT_PING_MS);
    expect_down(&users[0], 1, "libvirt at test:///uri: guestlink-libvirt hangs; killing it");
    assert_string_equal(libvirt_hypervisor(users[0].libvirt), "");
    assert_int_equal(describe(&users[0], 1000), -ENOTCONN);
    played->hangs = false;
    pass(LIBVIRT_PAUSE_FIRST_MS);
    assert_int_equal(played->starts, 2);
    assert_int_equal(users[0].ups, 2);
}

static void one_that_never_connects_is_killed(void **state)
{
    (void)state;
    played->mute = true;
    join(&users[0], "dev");
    settle();
    pass(LIBVIRT_CONNECT_MS / 2);
    assert_int_equal(users[0].downs, 0);
    assert_int_equal(played->starts, 1);
    assert_int_equal(played->pings, 0);
    pass(LIBVIRT_CONNECT_MS / 2);
    expect_down(&users[0], 1, "has no connection within 30 s");
    pass(LIBVIRT_PAUSE_FIRST_MS);
    assert_int_equal(played->starts, 2);
    pass(LIBVIRT_CONNECT_MS);
    assert_int_equal(users[0].downs, 1); /* told once */
    played->mute = false;
    pass(LIBVIRT_PAUSE_LAST_MS);
    assert_int_equal(users[0].ups, 1);
    libvirt_played_end();
    settle();
    assert_int_equal(users[0].downs, 2);
}

static void pauses_grow_and_begin_anew(void **state)
{
    uint32_t pause = LIBVIRT_PAUSE_FIRST_MS;

    (void)state;
    played->not_installed = true;
    join(&users[0], "dev");
    settle();
    expect_down(&users[0], 1, "install the package guestlink-libvirt");
    for (unsigned starts = 2; starts < 9; starts++) {
        if (pause >= 4000) { /* what really passes meanwhile is less */
            pass(pause / 2);
            assert_int_equal(played->starts, starts - 1);
        }
        pass(pause);
        assert_int_equal(played->starts, starts);
        pause = pause * 2 < LIBVIRT_PAUSE_LAST_MS ? pause * 2 : LIBVIRT_PAUSE_LAST_MS;
    }
    assert_int_equal(pause, LIBVIRT_PAUSE_LAST_MS);
    assert_int_equal(users[0].downs, 1);
    played->not_installed = false;
    pass(LIBVIRT_PAUSE_LAST_MS);
    assert_int_equal(users[0].ups, 1);
    libvirt_played_end(); /* after a short life: the long pause */
    settle();
    pass(LIBVIRT_PAUSE_LAST_MS / 2);
    assert_int_equal(users[0].ups, 1);
    pass(LIBVIRT_PAUSE_LAST_MS / 2);
    assert_int_equal(users[0].ups, 2);
    pass(LIBVIRT_PAUSE_LAST_MS);
    libvirt_played_end(); /* after a long one: the first */
    settle();
    pass(LIBVIRT_PAUSE_FIRST_MS);
    assert_int_equal(users[0].ups, 3);
}

static void one_is_shared(void **state)
{
    (void)state;
    join(&users[0], "dev");
    settle();
    join(&users[1], NULL);
    assert_int_equal(users[1].ups, 0);
    settle();
    assert_int_equal(users[1].ups, 1); /* it came later */
    assert_int_equal(users[0].ups, 1);
    assert_int_equal(played->starts, 1);
    libvirt_played_say("{\"event\":\"reboot\",\"domain\":\"other\"}");
    settle();
    assert_int_equal(users[0].events, 0);
    assert_int_equal(users[1].events, 1);
    assert_string_equal(users[1].name, "reboot");
    libvirt_played_say("{\"event\":\"metadata\",\"domain\":\"dev\"}");
    settle();
    assert_int_equal(users[0].events, 1);
    assert_int_equal(users[1].events, 2);
    users[0].libvirt = libvirt_leave(users[0].libvirt);
    settle();
    assert_true(played->fd >= 0);
    libvirt_played_say("{\"event\":\"closed\",\"text\":\"libvirtd was restarted\"}");
    libvirt_played_end();
    settle();
    assert_int_equal(users[0].downs, 0);
    expect_down(&users[1], 1, "libvirt at test:///uri: libvirtd was restarted");
}

static void a_call_has_one_answer(void **state)
{
    (void)state;
    join(&users[0], "dev");
    assert_int_equal(describe(&users[0], 1000), -ENOTCONN);
    settle();
    assert_int_equal(describe(&users[0], MINUTE_MS), 0);
    assert_int_equal(users[0].replies, 0);
    settle();
    assert_int_equal(users[0].replies, 1);
    assert_int_equal(users[0].error, 0);
    played->hangs = true;
    assert_int_equal(describe(&users[0], 5000), 0);
    settle();
    assert_int_equal(users[0].replies, 1);
    pass(5000);
    assert_int_equal(users[0].replies, 2);
    assert_int_equal(users[0].error, ETIMEDOUT);
    assert_string_equal(users[0].reply_text, "libvirt did not answer describe within 5000 ms");
    libvirt_played_say("{\"id\": 3, \"result\": {}}"); /* late: the second one's */
    settle();
    assert_int_equal(users[0].replies, 2);
    assert_int_equal(users[0].downs, 0);
    assert_int_equal(describe(&users[0], MINUTE_MS), 0);
    assert_int_equal(describe(&users[0], MINUTE_MS), 0);
    settle();
    libvirt_played_end();
    settle();
    assert_int_equal(users[0].replies, 4);
    assert_int_equal(users[0].error, ECONNRESET);
    played->hangs = false;
    pass(LIBVIRT_PAUSE_FIRST_MS);
    played->hangs = true;
    join(&users[1], "dev");
    settle();
    assert_int_equal(describe(&users[0], MINUTE_MS), 0);
    assert_int_equal(describe(&users[1], MINUTE_MS), 0);
    users[0].libvirt = libvirt_leave(users[0].libvirt);
    assert_int_equal(users[0].replies, 5);
    assert_int_equal(users[0].error, ECANCELED);
    assert_int_equal(users[1].replies, 0);
}

static void one_that_does_not_read_is_killed(void **state)
{
    unsigned calls = 0;

    (void)state;
    join(&users[0], NULL);
    settle();
    assert_int_equal(sd_event_source_set_enabled(played->source, SD_EVENT_OFF), 0);
    for (size_t size = 16000; size > 0; size /= 2)
        calls += fill(&users[0], size);
    calls += fill(&users[0], 0);
    assert_true(calls > 10);
    assert_int_equal(users[0].replies, 0); /* those that were not sent have none */
    played_clock_pass(event, LIBVIRT_PING_MS);
    expect_down(&users[0], 1, "does not read its requests");
    assert_int_equal(users[0].replies, calls);
    assert_int_equal(users[0].error, ECONNRESET);
    pass(LIBVIRT_PAUSE_FIRST_MS);
    assert_int_equal(users[0].ups, 2);
}

/* ---- what it says is read */

static void libvirt_s_errors_have_an_advice(void **state)
{
    static const struct {
        struct libvirt_reply reply;
        const char *advice;
        bool is_iommu, is_unplugging, is_missing;
    } cases[] = {
        {.reply = {.error = EREMOTEIO, .code = LIBVIRT_ERROR_NO_DOMAIN, .text = "x"},
         .advice = "virsh define"},
        {.reply = {.error = EREMOTEIO, .code = LIBVIRT_ERROR_AUTH, .text = "x"},
         .advice = "group libvirt"},
        {.reply = {.error = EREMOTEIO, .text = "needs shared memory"}, .advice = "<memoryBacking>"},
        {.reply = {.error = EREMOTEIO, .text = "Network not found: a"}, .advice = "net-define"},
        {.reply = {.error = EREMOTEIO, .text = "network 'a' is not active"}, .advice = "net-start"},
        {.reply = {.error = EREMOTEIO, .text = "anything else"}},
        {.reply = {.error = ETIMEDOUT, .text = "Network not found"}},
        {.reply = {.error = ETIMEDOUT, .code = LIBVIRT_ERROR_NO_DOMAIN, .text = "x"}},
        {.reply = {.error = EREMOTEIO, .text = "iommu_platform=on is not"}, .is_iommu = true},
        {.reply = {.error = ETIMEDOUT, .text = "iommu_platform=on is not"}},
        {.reply = {.error = EREMOTEIO, .text = "x is in the process of unplug"},
         .is_unplugging = true},
        {.reply = {.error = ECONNRESET, .text = "x is in the process of unplug"}},
        {.reply = {.error = EREMOTEIO, .code = LIBVIRT_ERROR_DEVICE_MISSING, .text = "x"},
         .is_missing = true},
        {.reply = {.error = EREMOTEIO, .text = "device not found: x"}, .is_missing = true},
        {.reply = {.error = ECONNRESET, .text = "device not found: x"}},
        {.reply = {.error = ECONNRESET, .code = LIBVIRT_ERROR_DEVICE_MISSING, .text = "x"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct libvirt_reply *reply = &cases[i].reply;
        const char *advice = advice_find(reply);

        if (cases[i].advice ? !strstr(advice, cases[i].advice) : advice[0] != '\0')
            fail_msg("%s: %s", reply->text, advice);
        assert_int_equal(advice_is_iommu(reply), cases[i].is_iommu);
        assert_int_equal(advice_is_unplugging(reply), cases[i].is_unplugging);
        assert_int_equal(advice_is_missing(reply), cases[i].is_missing);
    }
}

static void an_owner_is_two_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is_owner;
    } cases[] = {
        {"{\"uid\": 64055, \"gid\": 108}", true},
        {"{\"uid\": 0, \"gid\": 0}", true},
        {"{\"uid\": 64055}", false},
        {"{\"gid\": 108}", false},
        {"{\"uid\": 64055, \"gid\": -1}", false},
        {"{\"uid\": -1, \"gid\": 108}", false},
        {"{\"uid\": 4294967294, \"gid\": 108}", true},
        {"{\"uid\": 4294967295, \"gid\": 1}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *description = json_tokener_parse(cases[i].text);
        int64_t number = -1;
        uid_t uid = 7;
        gid_t gid = 7;

        assert_int_equal(description_owner(description, &uid, &gid), cases[i].is_owner);
        if (cases[i].is_owner) {
            assert_true(json_as_number(json_member(description, "uid"), &number));
            assert_int_equal(uid, number);
            assert_true(json_as_number(json_member(description, "gid"), &number));
            assert_int_equal(gid, number);
        }
        json_object_put(description);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_hangs_is_killed_and_started_again),
        TEST(one_that_never_connects_is_killed),
        TEST(pauses_grow_and_begin_anew),
        TEST(one_is_shared),
        TEST(a_call_has_one_answer),
        TEST(one_that_does_not_read_is_killed),
        cmocka_unit_test(libvirt_s_errors_have_an_advice),
        cmocka_unit_test(an_owner_is_two_numbers),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
