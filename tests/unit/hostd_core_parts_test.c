/* hostd's small parts: addresses, rates, texts, warnings, latencies. */
#include "base/address.h"
#include "base/latency.h"
#include "base/limits.h"
#include "base/rate.h"
#include "base/text.h"
#include "state/warned.h"
#include "vm/allowance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_read_or_refused(void **state)
{
    static const struct {
        const char *text;
        int r;
        enum address_family family;
        uint32_t cid, port;
    } rows[] = {
        {"vsock::50000", 0, ADDRESS_VSOCK, UINT32_MAX, 50000},
        {"vsock:2:1", 0, ADDRESS_VSOCK, 2, 1},
        {"vsock:2", -EINVAL, 0, 0, 0},
        {"vsock::", -EINVAL, 0, 0, 0},
        {"vsock::-1", -EINVAL, 0, 0, 0},
        {"vsock:: 5", -EINVAL, 0, 0, 0},
        {"vsock::4294967295", -EINVAL, 0, 0, 0},
        {"vsock::4294967296", -EINVAL, 0, 0, 0},
        {"vsock:x:1", -EINVAL, 0, 0, 0},
        {"unix:/a", 0, ADDRESS_UNIX, 0, 0},
        {"unix:a", -EINVAL, 0, 0, 0},
        {"unix:", -EINVAL, 0, 0, 0},
        {"", -EINVAL, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address = {0};

        assert_int_equal(address_parse(rows[i].text, &address), rows[i].r);
        if (rows[i].r < 0)
            continue;
        assert_int_equal(address.family, rows[i].family);
        assert_int_equal(address.cid, rows[i].cid);
        assert_int_equal(address.port, rows[i].port);
    }
}

static void a_socket_too_long_for_the_kernel_is_no_address(void **state)
{
    char text[256] = "unix:/";
    struct address address;

    (void)state;
    memset(text + 6, 'a', 120);
    assert_int_equal(address_parse(text, &address), -EINVAL);
}

static void hybrid_sockets_name_their_port(void **state)
{
    uint32_t port = 0;
    int base = 0;

    (void)state;
    assert_int_equal(address_hybrid_port("/run/vm_1/dev.sock_50000", &port, &base), 0);
    assert_int_equal(port, 50000);
    assert_int_equal(base, strlen("/run/vm_1/dev.sock"));
    assert_int_equal(address_hybrid_port("/run/vm_1/dev.sock", &port, &base), -EINVAL);
    assert_int_equal(address_hybrid_port("/run/dev_", &port, &base), -EINVAL);
    assert_int_equal(address_hybrid_port("/run/dev_1x", &port, &base), -EINVAL);
}

static void a_burst_passes_and_then_the_rate(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1000000;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        passed += rate_allow(&rate, now_us, 10000, 20);
    assert_int_equal(passed, 20);
    assert_int_equal(rate_take_dropped(&rate), 80);
    assert_int_equal(rate_take_dropped(&rate), 0);
    /* ten seconds of one call a millisecond */
    passed = 0;
    for (unsigned i = 0; i < 10000; i++)
        passed += rate_allow(&rate, now_us += 1000, 10000, 20);
    assert_in_range(passed, 99, 100);
    /* and it never holds more than the burst */
    now_us += UINT64_C(600000000);
    passed = 0;
    for (unsigned i = 0; i < 100; i++)
        passed += rate_allow(&rate, now_us, 10000, 20);
    assert_int_equal(passed, 20);
}

static void calls_in_quick_succession_lose_nothing_of_the_rate(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++)
        passed += rate_allow(&rate, now_us += 3, 10000, 1);
    assert_in_range(passed, 30, 31);
}

static void less_than_one_in_a_second_passes_too(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) /* a hundred seconds */
        passed += rate_allow(&rate, now_us += 1000, 500, 1);
    assert_in_range(passed, 50, 51);
}

/* Takes as much as there is at this moment. */
static unsigned take_all(struct allowances *allowances, enum allowance_kind kind,
                         struct rate *shared, const struct config_limits *limits)
{
    unsigned taken = 0;

    while (allowance_take(allowances, kind, shared, limits, 1))
        taken++;
    return taken;
}

static void no_kind_of_line_takes_anything_from_another(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 10,
                                                .guest_events_burst = 200};

    (void)state;
    for (unsigned flood = 0; flood < ALLOWANCE_KINDS; flood++) {
        struct allowances allowances = {0};
        struct rate shared = {0};

        (void)take_all(&allowances, (enum allowance_kind)flood, &shared, &limits);
        assert_int_equal(allowance_dropped(&allowances), 1);
        for (unsigned i = 0; i < ALLOWANCE_KINDS; i++)
            if (i != flood)
                assert_true(
                    allowance_take(&allowances, (enum allowance_kind)i, &shared, &limits, 1));
    }
}

/* However many guests do all that they can, what counts of another is told, and a boot fits. */
static void all_vms_together_are_bounded(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 10,
                                                .guest_events_burst = 200};
    static const enum allowance_kind cheap[] = {ALLOWANCE_STRANGER, ALLOWANCE_REFUSAL,
                                                ALLOWANCE_LOG, ALLOWANCE_OUTPUT};
    static struct allowances vms[100];
    struct allowances other = {0};
    struct rate shared = {0};
    unsigned taken = 0;

    (void)state;
    for (unsigned vm = 0; vm < 100; vm++)
        for (unsigned i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++)
            taken += take_all(&vms[vm], cheap[i], &shared, &limits);
    assert_int_equal(taken, LIMITS_SHARED_EVENTS_BURST + 100 * 4 * LIMITS_OWN_EVENTS_BURST);
    assert_true(allowance_dropped(&vms[99]) > 0);
    for (unsigned kind = 0; kind < ALLOWANCE_KINDS; kind++)
        for (unsigned i = 0; i < 4; i++)
            assert_true(allowance_take(&other, (enum allowance_kind)kind, &shared, &limits, 1));
}

static void the_smallest_limits_leave_room_for_a_boot(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 1, .guest_events_burst = 1};
    struct allowances allowances = {0};
    struct rate shared = {0};

    (void)state;
    assert_in_range(take_all(&allowances, ALLOWANCE_CONNECT, &shared, &limits), 5, 20);
    assert_in_range(take_all(&allowances, ALLOWANCE_DISCONNECT, &shared, &limits), 1, 20);
    assert_int_equal(take_all(&allowances, ALLOWANCE_LOG, &shared, &limits), 1);
}

static struct wire_text text_of(const char *data, size_t size)
{
    return (struct wire_text){.data = data, .size = size};
}

static void texts_of_guests_cannot_steer_a_terminal(void **state)
{
    char buffer[16];

    (void)state;
    text_take(text_of("a\x1b[2J\nb\x7f", 8), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a [2J b ");
    text_take(text_of("a\xc2\x9b"
                      "b",
                      4),
              buffer, sizeof(buffer));
    assert_string_equal(buffer, "a b");
    text_take(text_of("a\0b", 3), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a b");
    text_take(text_of("a\xff", 2), buffer, sizeof(buffer));
    assert_string_equal(buffer, "a?");
    text_take(text_of(NULL, 0), buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
}

static void what_is_not_seen_is_shown(void **state)
{
    static const struct {
        const char *text, *clean;
    } texts[] = {
        {"plain, \u00e4\u20ac\U0001f600", "plain, \u00e4\u20ac\U0001f600"},
        {"\xc2\x9f\u00a0", " \u00a0"}, /* the last C1; a blank that shows */
        {"a\xc2\x85"
         "b\u2028c\u2029d",
         "a b c d"},                                              /* they end lines */
        {"\u200e\u200f\u061c", "???"},                            /* directions: marks */
        {"\u202a\u202b\u202c\u202d\u202e", "?????"},              /* embeddings and overrides */
        {"\u2066\u2067\u2068\u2069", "????"},                     /* isolates */
        {"a\u200bb\u200cc\u200dd\u2060e", "a?b?c?d?e"},           /* no width */
        {"\ufeff\u00ad\u180e\u3164\ufffb\ufe0f", "??????"},       /* no picture */
        {"\U000e0001\U000e0041\U000e007f", "???"},                /* tags: hidden ASCII */
        {"\u2027\u202f\u2070\ufffd", "\u2027\u202f\u2070\ufffd"}, /* neighbours */
        {"\xff\xc3\xe2\x82z\xed\xa0\x80", "????z???"},
    };
    char buffer[64];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)snprintf(buffer, sizeof(buffer), "%s", texts[i].text);
        assert_int_equal(text_clean(buffer), strlen(texts[i].clean));
        assert_string_equal(buffer, texts[i].clean);
    }
}

static void texts_are_cut_between_characters(void **state)
{
    char buffer[5];

    (void)state;
    text_take(text_of("abc\xc3\xa4", 5), buffer, sizeof(buffer));
    assert_string_equal(buffer, "abc");
    text_take(text_of("ab\xc3\xa4z", 5), buffer, sizeof(buffer));
    assert_string_equal(buffer, "ab\xc3\xa4");
}

static void each_kernel_is_warned_of_once(void **state)
{
    struct warned warned = {0}, again = {0};
    struct json_object *json;
    char release[32];

    (void)state;
    assert_true(warned_note(&warned, "6.1"));
    assert_false(warned_note(&warned, "6.1"));
    assert_true(warned_note(&warned, "6.2"));
    json = warned_to_json(&warned);
    warned_from_json(&again, json);
    assert_false(warned_note(&again, "6.1"));
    assert_false(warned_note(&again, "6.2"));
    /* the oldest is forgotten, and no more is kept than the limit */
    for (unsigned i = 0; i < LIMITS_WARNED_RELEASES; i++) {
        (void)snprintf(release, sizeof(release), "7.%u", i);
        assert_true(warned_note(&again, release));
    }
    assert_int_equal(again.count, LIMITS_WARNED_RELEASES);
    assert_true(warned_note(&again, "6.1"));
    (void)json_object_put(json);
    warned_done(&warned);
    warned_done(&again);
}

static void latencies_fall_into_their_buckets(void **state)
{
    struct latency latency = {0};

    (void)state;
    latency_add(&latency, 0);
    latency_add(&latency, latency_bound_us(0));
    latency_add(&latency, latency_bound_us(0) + 1);
    latency_add(&latency, UINT64_C(1) << 40);
    assert_int_equal(latency.buckets[0], 2);
    assert_int_equal(latency.buckets[1], 1);
    assert_int_equal(latency.buckets[LATENCY_BOUNDS], 1);
    assert_int_equal(latency.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_or_refused),
        cmocka_unit_test(a_socket_too_long_for_the_kernel_is_no_address),
        cmocka_unit_test(hybrid_sockets_name_their_port),
        cmocka_unit_test(a_burst_passes_and_then_the_rate),
        cmocka_unit_test(less_than_one_in_a_second_passes_too),
        cmocka_unit_test(no_kind_of_line_takes_anything_from_another),
        cmocka_unit_test(all_vms_together_are_bounded),
        cmocka_unit_test(the_smallest_limits_leave_room_for_a_boot),
        cmocka_unit_test(calls_in_quick_succession_lose_nothing_of_the_rate),
        cmocka_unit_test(texts_of_guests_cannot_steer_a_terminal),
        cmocka_unit_test(what_is_not_seen_is_shown),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(each_kernel_is_warned_of_once),
        cmocka_unit_test(latencies_fall_into_their_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
