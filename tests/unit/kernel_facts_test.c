/* facts: filesystems and UUIDs as the kernel writes them, and a whole measurement. */
#include "descriptors.h"
#include "init/kernel/facts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_filesystem_is_found_by_its_whole_name(void **state)
{
    static const char text[] = "nodev\tsysfs\nnodev\t9p\n\text4\nnodev\tvirtiofs";

    (void)state;
    assert_true(facts_lists_filesystem(text, "sysfs"));
    assert_true(facts_lists_filesystem(text, "9p"));
    assert_true(facts_lists_filesystem(text, "ext4"));
    assert_true(facts_lists_filesystem(text, "virtiofs"));
    assert_false(facts_lists_filesystem(text, "virtio"));
    assert_false(facts_lists_filesystem(text, "fs"));
    assert_false(facts_lists_filesystem(text, "nodev"));
    assert_false(facts_lists_filesystem("", "9p"));
    assert_false(facts_lists_filesystem("no tabs\nat all", "all"));
}

static void a_uuid_is_36_characters(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "00112233-4455-6677-8899-aabbccddeef",
                                      "00112233-4455-6677-8899-aabbccddeeff0",
                                      "00112233x4455-6677-8899-aabbccddeeff",
                                      "00112233-4455x6677-8899-aabbccddeeff",
                                      "00112233-4455-6677x8899-aabbccddeeff",
                                      "00112233-4455-6677-8899xaabbccddeeff",
                                      "0/112233-4455-6677-8899-aabbccddeeff",
                                      "/0112233-4455-6677-8899-aabbccddeeff",
                                      ":0112233-4455-6677-8899-aabbccddeeff",
                                      "`0112233-4455-6677-8899-aabbccddeeff",
                                      "g0112233-4455-6677-8899-aabbccddeeff",
                                      "@0112233-4455-6677-8899-aabbccddeeff",
                                      "G0112233-4455-6677-8899-aabbccddeeff"};
    static const uint8_t expected[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                         0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    uint8_t uuid[16];

    (void)state;
    assert_int_equal(facts_parse_uuid("00112233-4455-6677-8899-aabbccddeeff\n", uuid), 0);
    assert_memory_equal(uuid, expected, sizeof(uuid));
    memset(uuid, 0, sizeof(uuid));
    assert_int_equal(facts_parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF", uuid), 0);
    assert_memory_equal(uuid, expected, sizeof(uuid));
    assert_int_equal(facts_parse_uuid("09afAF90-0000-0000-0000-000000000000", uuid), 0);
    assert_memory_equal(uuid, "\x09\xaf\xaf\x90", 4); /* both ends of each row of digits */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(facts_parse_uuid(bad[i], uuid), -EINVAL);
}

static void this_machine_can_be_measured(void **state)
{
    static struct module_list list;
    struct cmdline cmdline = {.swiotlb_asked = true};
    struct guest_capabilities facts;

    (void)state;
    facts_measure(&cmdline, &list, 42, &facts);
    assert_int_equal(facts.page_size, sysconf(_SC_PAGESIZE));
    assert_true(facts.cpu_count > 0);
    assert_true(facts.memory_bytes > 0);
    assert_int_equal(facts.started_ns, 42);
    assert_true(facts.features & CAPABILITIES_SWIOTLB_ASKED);
    assert_false(facts.features & CAPABILITIES_SWIOTLB_LEFT);
    assert_string_equal(facts.init_version, GUESTLINK_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filesystem_is_found_by_its_whole_name),
        cmocka_unit_test(a_uuid_is_36_characters),
        cmocka_unit_test(this_machine_can_be_measured),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
