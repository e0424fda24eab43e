/* request: what is read of a request points to its own bytes, text by text. */
#include "descriptors.h"
#include "protocol/frame.h"
#include "protocol/request.h"
#include "vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vector payload_of(const char *name)
{
    VECTOR_CLEANUP struct vector vector = {0};

    assert_int_equal(vector_read(name, &vector), 0);
    return vector_of(vector.data + FRAME_HEADER_SIZE, vector.size - FRAME_HEADER_SIZE);
}

static void assert_text(struct wire_text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void assert_list(struct wire_list list, const char *const expected[])
{
    struct wire_text text;

    for (; *expected; expected++) {
        assert_true(wire_list_next(&list, &text));
        assert_text(text, *expected);
    }
    assert_false(wire_list_next(&list, &text));
    assert_int_equal(list.size, 0);
}

static void lists_of_a_network_keep_apart(void **state)
{
    VECTOR_CLEANUP struct vector payload = payload_of("y_configure_network");
    struct request_configure_network m;

    (void)state;
    assert_int_equal(request_configure_network_unpack(payload.data, payload.size, &m), 0);
    assert_memory_equal(m.mac, "\x52\x54\x00\x12\x34\x56", 6);
    assert_int_equal(m.mtu, 1500);
    assert_list(m.addresses, (const char *[]){"10.0.2.15/24", "fd00::15/64", NULL});
    assert_list(m.gateways, (const char *[]){"10.0.2.2", "fd00::2", NULL});
    assert_list(m.routes, (const char *[]){"10.1.0.0/16 10.0.2.9", NULL});
    assert_list(m.dns, (const char *[]){"10.0.2.3", NULL});
}

static void arguments_and_environment_keep_apart(void **state)
{
    VECTOR_CLEANUP struct vector payload = payload_of("y_start_process_command");
    VECTOR_CLEANUP struct vector other = payload_of("y_start_process_payload");
    struct request_start_process m;

    (void)state;
    assert_int_equal(request_start_process_unpack(payload.data, payload.size, &m), 0);
    assert_text(m.directory, "/srv");
    assert_list(m.argv, (const char *[]){"cat", NULL});
    assert_list(m.environment, (const char *[]){"LANG=C.UTF-8", "A=", NULL});
    assert_int_equal(m.uid, 1000);
    assert_int_equal(m.gid, 100);

    assert_int_equal(request_start_process_unpack(other.data, other.size, &m), 0);
    assert_int_equal(m.directory.size, 0);
    assert_list(m.argv, (const char *[]){"/bin/sh", "-c", "", NULL});
    assert_list(m.environment, (const char *[]){NULL});
}

static void tag_and_target_of_a_mount_keep_apart(void **state)
{
    VECTOR_CLEANUP struct vector payload = payload_of("y_mount_9p");
    struct request_mount m;

    (void)state;
    assert_int_equal(request_mount_unpack(payload.data, payload.size, &m), 0);
    assert_text(m.tag, "src");
    assert_text(m.target, "/srv/source");
    assert_int_equal(m.port, 50001);
    assert_int_equal(m.timeout_ms, 5000);
    assert_int_equal(m.transport, REQUEST_TRANSPORT_9P);
}

/* Form alone is judged here: empty names, odd numbers and unknown flags are for who acts. */
static void meaning_is_not_judged(void **state)
{
    static const uint8_t mount[] = {24, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
                                    0,  0, 0, 0, 0xff, 0xff, 0,    0,    0, 0, 0, 0};
    static const uint8_t signal[] = {12, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    struct request_send_signal send_signal;
    struct request_mount m;

    (void)state;
    assert_int_equal(request_mount_unpack(mount, sizeof(mount), &m), 0);
    assert_int_equal(m.flags, UINT32_MAX);
    assert_int_equal(m.transport, UINT16_MAX);
    assert_int_equal(m.tag.size, 0);
    assert_int_equal(request_send_signal_unpack(signal, sizeof(signal), &send_signal), 0);
    assert_int_equal(send_signal.signal, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_a_network_keep_apart),
        cmocka_unit_test(arguments_and_environment_keep_apart),
        cmocka_unit_test(tag_and_target_of_a_mount_keep_apart),
        cmocka_unit_test(meaning_is_not_judged),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
