/* telemetry journal: the fields of an entry, as the journal gets them. */
#include "descriptors.h"
#include "telemetry/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

static char entry[65536];

int __wrap_sd_journal_sendv(const struct iovec *fields, int count);

/* The fields as lines, instead of an entry in this machine's journal. */
int __wrap_sd_journal_sendv(const struct iovec *fields, int count)
{
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        assert_in_range(used + fields[i].iov_len + 2, 0, sizeof(entry));
        memcpy(entry + used, fields[i].iov_base, fields[i].iov_len);
        used += fields[i].iov_len;
        entry[used++] = '\n';
    }
    entry[used] = '\0';
    return 0;
}

#define CONNECTED                                                                                  \
    "MESSAGE_ID=47eaa0992cb6416d86dc283cf0480ff9\nPRIORITY=6\n"                                    \
    "SYSLOG_IDENTIFIER=guestlink-hostd\nGUESTLINK_EVENT=GuestConnected\n"

static void test_every_field_has_its_name_and_value(void **state)
{
    static const struct telemetry_source source = {.vm = "dev", .vm_id = "id", .boot_id = "boot"};
    struct fields fields = {.count = 0};

    (void)state;
    fields_number(&fields, "cid", 4);
    fields_flag(&fields, "shareCount", true);
    fields_text(&fields, "text", "a\nb");
    journal_send(TELEMETRY_GUEST_CONNECTED, &source, &fields);
    assert_string_equal(
        entry, "MESSAGE=vm dev: a guest connected (cid 4, shareCount true, text a b)\n" CONNECTED
               "GUESTLINK_VM=dev\nGUESTLINK_VM_ID=id\nGUESTLINK_BOOT_ID=boot\n"
               "GUESTLINK_CID=4\nGUESTLINK_SHARE_COUNT=true\nGUESTLINK_TEXT=a b\n");
}

static void test_what_is_not_known_is_no_field(void **state)
{
    static const struct {
        struct telemetry_source source;
        const char *fields;
    } cases[] = {
        {{.vm = NULL}, "MESSAGE=a guest connected\n" CONNECTED},
        {{.vm = "dev"}, "MESSAGE=vm dev: a guest connected\n" CONNECTED "GUESTLINK_VM=dev\n"},
        {{.vm_id = "id"}, "MESSAGE=a guest connected\n" CONNECTED "GUESTLINK_VM_ID=id\n"},
        {{.boot_id = "boot"}, "MESSAGE=a guest connected\n" CONNECTED "GUESTLINK_BOOT_ID=boot\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        journal_send(TELEMETRY_GUEST_CONNECTED, &cases[i].source, NULL);
        assert_string_equal(entry, cases[i].fields);
    }
    journal_send(TELEMETRY_GUEST_CONNECTED, NULL, NULL);
    assert_string_equal(entry, cases[0].fields);
}

/* An event's own fields are at most FIELDS_MAX, and all of them arrive. */
static void test_as_many_fields_as_an_event_may_have(void **state)
{
    static const struct telemetry_source source = {.vm = "dev", .vm_id = "id", .boot_id = "boot"};
    struct fields fields = {.count = 0};

    (void)state;
    for (unsigned i = 0; i < FIELDS_MAX + 1; i++)
        fields_number(&fields, "n", i);
    journal_send(TELEMETRY_GUEST_CONNECTED, &source, &fields);
    for (unsigned i = 0; i <= FIELDS_MAX; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "\nGUESTLINK_N=%u\n", i);
        assert_int_equal(strstr(entry, line) != NULL, i < FIELDS_MAX);
    }
}

/* What is too long for one entry is left out, not the entry. */
static void test_a_field_that_is_too_long_is_left_out(void **state)
{
    static char text[16385];
    struct fields fields = {.count = 0};

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    fields_text(&fields, "long", text);
    fields_number(&fields, "short", 1);
    journal_send(TELEMETRY_GUEST_CONNECTED, NULL, &fields);
    assert_int_equal(strncmp(entry, "MESSAGE=a guest connected (long xxx", 34), 0);
    assert_null(strstr(entry, "GUESTLINK_LONG"));
    assert_non_null(strstr(entry, "\nGUESTLINK_SHORT=1\n"));
}

static void test_a_name_is_cut_where_its_buffer_ends(void **state)
{
    char name[16];

    (void)state;
    journal_format_field_name("abcdef", name, 16);
    assert_string_equal(name, "GUESTLINK_ABCD");
    journal_format_field_name("a\xc3\xa4 b", name, sizeof(name));
    assert_string_equal(name, "GUESTLINK_A___");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_has_its_name_and_value),
        cmocka_unit_test(test_what_is_not_known_is_no_field),
        cmocka_unit_test(test_as_many_fields_as_an_event_may_have),
        cmocka_unit_test(test_a_field_that_is_too_long_is_left_out),
        cmocka_unit_test(test_a_name_is_cut_where_its_buffer_ends),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
