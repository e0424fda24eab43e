/* discovery: when libvirt is asked for its domains, what its answers change, and which VMs come of
 * them. The test is libvirt and the clock; the configuration is real. */
#include "descriptors.h"
#include "discovery.h"
#include "domain/libvirt.h"
#include "played_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Longer than a burst of events. */
#define SETTLED_MS 1000u

#define A "11111111-2222-3333-4444-555555555555"
#define B "21111111-2222-3333-4444-555555555555"

static struct {
    /* libvirt. */
    struct libvirt_user *user; /* NULL: it was left */
    const struct libvirt_events *events;
    char uri[64];
    int join_error, call_error;
    unsigned joins, leaves, calls;
    libvirt_reply_fn fn; /* of the call that waits */
    void *call_userdata, *join_userdata;
    /* What was heard. */
    unsigned changes, warnings, errors;
    char warning[512], error[1024];
    sd_event *event;
    struct discovery *discovery;
} played;

int __wrap_libvirt_join(sd_event *event, const char *uri, const char *domain,
                        const struct libvirt_events *events, void *userdata,
                        struct libvirt_user **ret_user);
struct libvirt_user *__wrap_libvirt_leave(struct libvirt_user *user);
int __wrap_libvirt_call(struct libvirt_user *user, const char *call, struct json_object *arguments,
                        uint32_t timeout_ms, libvirt_reply_fn fn, void *userdata);
void __wrap_log_line(int level, const char *format, ...);

int __wrap_libvirt_join(sd_event *event, const char *uri, const char *domain,
                        const struct libvirt_events *events, void *userdata,
                        struct libvirt_user **ret_user)
{
    assert_ptr_equal(event, played.event);
    assert_null(domain); /* those of all */
    assert_null(played.user);
    played.joins++;
    if (played.join_error != 0)
        return played.join_error;
    (void)snprintf(played.uri, sizeof(played.uri), "%s", uri);
    played.events = events;
    played.join_userdata = userdata;
    *ret_user = played.user = (struct libvirt_user *)&played; /* any address */
    return 0;
}

/* Answers the open call. */
static void answer(int error, const char *result)
{
    libvirt_reply_fn fn = played.fn;
    struct libvirt_reply reply = {.error = error, .text = "the reason"};

    assert_non_null(fn);
    played.fn = NULL;
    reply.result = error == 0 ? json_tokener_parse(result) : NULL;
    fn(played.call_userdata, &reply);
    json_object_put(reply.result);
}

struct libvirt_user *__wrap_libvirt_leave(struct libvirt_user *user)
{
    if (!user)
        return NULL;
    assert_ptr_equal(user, played.user);
    played.leaves++;
    played.user = NULL;
    if (played.fn)
        answer(ECANCELED, NULL);
    return NULL;
}

int __wrap_libvirt_call(struct libvirt_user *user, const char *call, struct json_object *arguments,
                        uint32_t timeout_ms, libvirt_reply_fn fn, void *userdata)
{
    assert_ptr_equal(user, played.user);
    assert_string_equal(call, "list");
    assert_null(arguments);
    assert_true(timeout_ms > 0);
    assert_null(played.fn); /* one at a time */
    played.calls++;
    if (played.call_error != 0)
        return played.call_error;
    played.fn = fn;
    played.call_userdata = userdata;
    return 0;
}

void __wrap_log_line(int level, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(level, 4); /* a warning */
    va_start(arguments, format);
    (void)vsnprintf(played.warning, sizeof(played.warning), format, arguments);
    va_end(arguments);
    played.warnings++;
}

static void on_changed(void *userdata)
{
    assert_ptr_equal(userdata, &played);
    played.changes++;
}

static struct config *parse(const char *libvirt)
{
    struct config *config = NULL;
    char text[512];

    (void)snprintf(text, sizeof(text), "{\"libvirt\": {%s}, \"vms\": []}", libvirt);
    assert_int_equal(config_parse(text, strlen(text), "test", NULL, NULL, NULL, &config), 0);
    return config;
}

/* @return what discovery_follow() did */
static int follow(const char *libvirt)
{
    struct config *config = parse(libvirt);
    int r = discovery_follow(played.discovery, config);

    (void)config_free(config);
    return r;
}

static int set_up(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    assert_int_equal(sd_event_new(&played.event), 0);
    assert_int_equal(discovery_new(played.event, on_changed, &played, &played.discovery), 0);
    assert_int_equal(follow("\"discover\": true, \"uri\": \"test:///a\""), 0);
    assert_int_equal(played.joins, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(discovery_free(played.discovery));
    assert_null(played.user);
    assert_int_equal(played.leaves, played.joins);
    sd_event_unref(played.event);
    return 0;
}

/* Lets the burst of events settle; the call that comes then must be that one. */
static void wait_for_call(unsigned count)
{
    played_clock_pass(played.event, SETTLED_MS);
    assert_int_equal(played.calls, count);
}

static void say(const char *name)
{
    played.events->event(played.join_userdata, name, NULL);
}

/* An event, and what libvirt answers then. */
static void list(const char *result)
{
    unsigned calls = played.calls;

    say("lifecycle");
    wait_for_call(calls + 1);
    answer(0, result);
}

static void on_error(void *userdata, const char *text)
{
    assert_ptr_equal(userdata, &played);
    (void)snprintf(played.error, sizeof(played.error), "%s", text);
    played.errors++;
}

/* @return a configuration with the VMs that were found */
static struct config *add(size_t count)
{
    struct config *config = parse("\"discover\": true");

    discovery_add(played.discovery, config, on_error, &played);
    assert_int_equal(config->vm_count, count);
    return config;
}

static void it_looks_where_it_is_told(void **state)
{
    (void)state;
    assert_string_equal(played.uri, "test:///a");
    assert_int_equal(follow("\"discover\": true, \"uri\": \"test:///a\""), 0);
    assert_int_equal(played.joins, 1); /* it is there already */
    list("[{\"name\": \"a\", \"uuid\": \"" A "\", \"vm\": \"{}\", \"cid\": 5}]");
    (void)config_free(add(1));
    say("lifecycle");
    assert_int_equal(follow("\"discover\": true, \"uri\": \"test:///b\""), 0);
    assert_string_equal(played.uri, "test:///b");
    assert_int_equal(played.leaves, 1);
    (void)config_free(add(0)); /* nothing was found there yet */
    played_clock_pass(played.event, SETTLED_MS);
    assert_int_equal(played.calls, 1); /* what was heard there does not count here */
    assert_int_equal(follow("\"uri\": \"test:///b\""), 0);
    assert_int_equal(played.leaves, 2);
    assert_int_equal(follow("\"uri\": \"test:///b\""), 0);
    assert_int_equal(played.joins, 2);
    played.join_error = -EMFILE;
    assert_int_equal(follow("\"discover\": true"), -EMFILE);
    played.joins--;
}

static void events_are_followed_by_one_look(void **state)
{
    (void)state;
    assert_int_equal(played.calls, 0);
    say("reboot");
    say("removed");
    played_clock_pass(played.event, SETTLED_MS);
    assert_int_equal(played.calls, 0);
    played.events->up(played.join_userdata);
    say("lifecycle");
    say("metadata");
    assert_int_equal(played.calls, 0); /* they come in bursts */
    wait_for_call(1);
    played_clock_pass(played.event, SETTLED_MS);
    assert_int_equal(played.calls, 1);
    answer(0, "[]");
    assert_int_equal(played.calls, 1);
    say("metadata");
    wait_for_call(2);
    answer(0, "[]");
    assert_int_equal(played.changes, 0);
}

/* Runs the loop until an event's look is due while an answer is awaited. */
static void overtake(void)
{
    say("lifecycle");
    played_clock_pass(played.event, SETTLED_MS);
    assert_non_null(played.fn);
}

static void what_happens_during_a_look_is_looked_at_again(void **state)
{
    (void)state;
    played.events->up(played.join_userdata);
    wait_for_call(1);
    overtake();
    assert_int_equal(played.calls, 1);
    answer(0, "[]");
    assert_int_equal(played.calls, 2); /* at once */
    overtake();
    answer(0, "[{\"name\": \"a\", \"uuid\": \"" A "\", \"vm\": \"{}\"}]");
    assert_int_equal(played.changes, 1);
    assert_int_equal(played.calls, 3);
    answer(0, "[{\"name\": \"a\", \"uuid\": \"" A "\", \"vm\": \"{}\"}]");
    assert_int_equal(played.changes, 1);
    assert_int_equal(played.calls, 3);
}

static void a_failure_is_told_and_changes_nothing(void **state)
{
    (void)state;
    list("[{\"name\": \"a\", \"uuid\": \"" A "\", \"vm\": \"{}\", \"cid\": 5}]");
    assert_int_equal(played.changes, 1);
    say("lifecycle");
    wait_for_call(2);
    answer(EREMOTEIO, NULL);
    assert_int_equal(played.warnings, 1);
    assert_non_null(strstr(played.warning, "libvirt: the reason"));
    say("lifecycle");
    wait_for_call(3);
    answer(ETIMEDOUT, NULL);
    assert_int_equal(played.calls, 4); /* again */
    answer(ECONNRESET, NULL);
    assert_int_equal(played.calls, 4); /* when it is up again */
    assert_int_equal(played.warnings, 1);
    played.events->down(played.join_userdata, "the connection ended");
    assert_int_equal(played.warnings, 2);
    assert_non_null(strstr(played.warning, "the connection ended; will retry"));
    assert_int_equal(played.changes, 1);
    (void)config_free(add(1)); /* those that were found stay */
    played.call_error = -ENOTCONN;
    played.events->up(played.join_userdata);
    wait_for_call(5);
    played.call_error = 0;
    played.events->up(played.join_userdata);
    wait_for_call(6); /* the one that failed is not waited for */
}

static void only_a_change_is_told(void **state)
{
    static const struct {
        const char *list;
        bool changes;
    } steps[] = {
        {"[]", false},
        {"{}", false},
        {"[{\"name\": \"a\", \"uuid\": \"1\", \"vm\": \"x\", \"cid\": 3}]", true},
        {"[{\"name\": \"a\", \"uuid\": \"1\", \"vm\": \"x\", \"cid\": 3}]", false},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"x\", \"cid\": 3}]", true},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": 3}]", true},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": 4}]", true},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\"}]", true},
        /* these are no CIDs of guests, and like none */
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": 2}]", false},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": 4294967295}]", false},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": -5}]", false},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\", \"cid\": \"5\"}]", false},
        /* these are no domains */
        {"[5, {\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\"}, {\"uuid\": \"3\", \"vm\": \"\"}, "
         "{\"name\": \"b\", \"vm\": \"\"}, {\"name\": \"b\", \"uuid\": \"3\"}]",
         false},
        /* this one comes twice */
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\"}, "
         "{\"name\": \"a\", \"uuid\": \"3\", \"vm\": \"z\"}]",
         false},
        {"[{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\"}, "
         "{\"name\": \"b\", \"uuid\": \"3\", \"vm\": \"z\"}]",
         true},
        {"[{\"name\": \"b\", \"uuid\": \"3\", \"vm\": \"z\"}, "
         "{\"name\": \"a\", \"uuid\": \"2\", \"vm\": \"y\"}]",
         false},
        {"[{\"name\": \"b\", \"uuid\": \"3\", \"vm\": \"z\"}]", true},
        {"[{\"name\": \"c\", \"uuid\": \"3\", \"vm\": \"z\"}]", true},
        {"[]", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        played.changes = 0;
        say("lifecycle");
        wait_for_call((unsigned)i + 1);
        answer(0, steps[i].list);
        if (played.changes != (steps[i].changes ? 1 : 0))
            fail_msg("%u changes after %s", played.changes, steps[i].list);
    }
}

static void too_many_are_left_out(void **state)
{
    struct json_object *names = json_object_new_array();
    char name[16];

    (void)state;
    for (unsigned i = 0; i <= DISCOVERY_MAX; i++) {
        struct json_object *entry = json_object_new_object();

        (void)snprintf(name, sizeof(name), "vm%u", i);
        (void)json_object_object_add(entry, "name", json_object_new_string(name));
        (void)json_object_object_add(entry, "uuid", json_object_new_string(A));
        (void)json_object_object_add(entry, "vm", json_object_new_string("no JSON"));
        (void)json_object_array_add(names, entry);
    }
    list(json_object_to_json_string(names));
    json_object_put(names);
    (void)config_free(add(0));
    assert_int_equal(played.errors, DISCOVERY_MAX);
    assert_null(strstr(played.error, name));
}

static void domains_become_vms(void **state)
{
    struct config *config;

    (void)state;
    list("[{\"name\": \"a\", \"uuid\": \"" A "\", \"vm\": \"{}\", \"cid\": 5},"
         "{\"name\": \"b\", \"uuid\": \"" B "\", \"vm\": \"{\\\"socket\\\":\\\"/run/b\\\"}\"}]");
    config = add(2);
    assert_int_equal(played.errors, 0);
    assert_string_equal(config->vms[0].name, "a");
    assert_string_equal(config->vms[0].id, A);
    assert_int_equal(config->vms[0].cid, 5);
    assert_string_equal(config->vms[0].device_host.uri, "test:///a");
    assert_string_equal(config->vms[0].device_host.domain, "a");
    assert_string_equal(config->vms[1].socket, "/run/b");
    (void)config_free(config);
}

#define WITH(text) "[{\"name\": \"a\", \"uuid\": \"" A "\", \"cid\": 5, \"vm\": \"" text "\"}]"

static void the_last_right_element_counts(void **state)
{
    struct config *config;

    (void)state;
    list(WITH("{\\\"memory\\\":"));
    (void)config_free(add(0));
    assert_int_equal(played.errors, 1);
    assert_non_null(strstr(played.error, "domain a of test:///a"));
    (void)config_free(add(0));
    assert_int_equal(played.errors, 1); /* once */
    list("[]");
    list(WITH("{\\\"memory\\\":\\\"2G\\\"}"));
    (void)config_free(add(1));
    list(WITH("{\\\"memory\\\":5}"));
    for (unsigned i = 0; i < 2; i++) {
        config = add(1);
        assert_int_equal(config->vms[0].memory, UINT64_C(2) << 30);
        (void)config_free(config);
        assert_int_equal(played.errors, 2);
    }
    list("[{\"name\": \"a\", \"uuid\": \"" A "\", \"cid\": 6, \"vm\": \"{\\\"memory\\\":5}\"}]");
    (void)config_free(add(1));
    assert_int_equal(played.errors, 2); /* the same element */
    list(WITH("{\\\"memory\\\":6}"));
    (void)config_free(add(1));
    assert_int_equal(played.errors, 3); /* another one */
    list(WITH("{\\\"memory\\\":\\\"4G\\\"}"));
    config = add(1);
    assert_int_equal(config->vms[0].memory, UINT64_C(4) << 30);
    (void)config_free(config);
    list("[]"); /* with its domain all is forgotten */
    list(WITH("{\\\"memory\\\":6}"));
    (void)config_free(add(0));
    assert_int_equal(played.errors, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_looks_where_it_is_told),
        TEST(events_are_followed_by_one_look),
        TEST(what_happens_during_a_look_is_looked_at_again),
        TEST(a_failure_is_told_and_changes_nothing),
        TEST(only_a_change_is_told),
        TEST(too_many_are_left_out),
        TEST(domains_become_vms),
        TEST(the_last_right_element_counts),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
