/* gpt: partitions by the names that a disk's table gives them. */
#include "descriptors.h"
#include "init/base/gpt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void an_entry_is_found_by_its_number(void **state)
{
    uint8_t header[GPT_HEADER_SIZE] = "EFI PART";
    struct gpt_place place;

    (void)state;
    header[72] = 2;   /* the entries' first block */
    header[80] = 128; /* how many */
    header[84] = 128; /* bytes of each */
    assert_int_equal(gpt_find(header, 512, 1, &place), 0);
    assert_int_equal(place.offset, 1024);
    assert_int_equal(gpt_find(header, 4096, 128, &place), 0);
    assert_int_equal(place.offset, 2 * 4096 + 127 * 128);
    assert_int_equal(gpt_find(header, 512, 0, &place), -ENOENT);
    assert_int_equal(gpt_find(header, 512, 129, &place), -ENOENT);
    header[84] = 127;
    assert_int_equal(gpt_find(header, 512, 1, &place), -ENOENT);
    header[84] = 128;
    header[84] = 0;
    header[85] = 16; /* 4096 bytes: as many as there may be */
    assert_int_equal(gpt_find(header, 512, 2, &place), 0);
    assert_int_equal(place.offset, 1024 + 4096);
    assert_int_equal(place.size, 4096);
    header[84] = 1;
    assert_int_equal(gpt_find(header, 512, 2, &place), -ENOENT);
    header[84] = 128;
    header[85] = 0;
    memset(header + 72, 0xff, 4);
    assert_int_equal(gpt_find(header, 512, 1, &place), 0);
    assert_int_equal(place.offset, UINT32_MAX * UINT64_C(512));
    header[79] = 0xff; /* beyond any disk */
    assert_int_equal(gpt_find(header, 512, 1, &place), -ENOENT);
    header[79] = 0;
    header[0] = 'e';
    assert_int_equal(gpt_find(header, 512, 1, &place), -ENOENT);
}

static void an_entry_has_a_uuid_and_a_label(void **state)
{
    static const uint8_t uuid[] = {0x1e, 0x0f, 0x2b, 0x7d, 0x4d, 0x3c, 0x5f, 0x4e,
                                   0x8a, 0x9b, 0x0c, 0x1d, 0x2e, 0x3f, 0x4a, 0x5b};
    static const uint8_t label[] = {'a', 0, 0xe4, 0, 0xac, 0x20, 0x3d, 0xd8, 'b', 0};
    uint8_t entry[GPT_ENTRY_SIZE] = {0};
    struct gpt_partition partition;

    (void)state;
    assert_int_equal(gpt_parse(entry, &partition), -ENOENT);
    entry[0] = 1; /* of some type */
    memcpy(entry + 16, uuid, sizeof(uuid));
    memcpy(entry + 56, label, sizeof(label));
    assert_int_equal(gpt_parse(entry, &partition), 0);
    assert_string_equal(partition.uuid, "7d2b0f1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b");
    assert_string_equal(partition.label, "aä€b"); /* without the half of a pair */
    memset(entry + 56, 0x20, 72);
    assert_int_equal(gpt_parse(entry, &partition), 0);
    assert_int_equal(strlen(partition.label), sizeof(partition.label) - 1);
}

/* On both sides of each bound of UTF-8 and of the pairs. */
static void a_label_is_written_as_utf_8(void **state)
{
    static const struct {
        unsigned unit;
        const char *text;
    } cases[] = {
        {0x7f, "\x7f"},           {0x80, "\xc2\x80"}, {0x7ff, "\xdf\xbf"}, {0x800, "\xe0\xa0\x80"},
        {0xd7ff, "\xed\x9f\xbf"}, {0xd800, ""},       {0xdfff, ""},        {0xe000, "\xee\x80\x80"},
        {0xffff, "\xef\xbf\xbf"},
    };
    uint8_t entry[GPT_ENTRY_SIZE] = {1};
    struct gpt_partition partition;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        entry[56] = (uint8_t)cases[i].unit;
        entry[57] = (uint8_t)(cases[i].unit >> 8);
        assert_int_equal(gpt_parse(entry, &partition), 0);
        assert_string_equal(partition.label, cases[i].text);
    }
}

static void an_mbr_names_the_disk_and_a_number(void **state)
{
    static const uint8_t signature[] = {0x78, 0x56, 0x34, 0x02};
    uint8_t mbr[GPT_MBR_SIZE] = {0};
    struct gpt_partition partition;

    (void)state;
    assert_int_equal(gpt_parse_mbr(mbr, 1, &partition), -ENOENT);
    mbr[0x1fe] = 0x55;
    mbr[0x1ff] = 0xaa;
    memcpy(mbr + 0x1b8, signature, sizeof(signature));
    assert_int_equal(gpt_parse_mbr(mbr, 12, &partition), 0);
    assert_string_equal(partition.uuid, "02345678-0c");
    assert_string_equal(partition.label, "");
    assert_int_equal(gpt_parse_mbr(mbr, 255, &partition), 0);
    assert_string_equal(partition.uuid, "02345678-ff");
    assert_int_equal(gpt_parse_mbr(mbr, 256, &partition), -ENOENT);
    assert_int_equal(gpt_parse_mbr(mbr, 0, &partition), -ENOENT);
    for (unsigned i = 0; i < 2; i++) { /* half of the magic */
        mbr[0x1fe + i] ^= 1;
        assert_int_equal(gpt_parse_mbr(mbr, 12, &partition), -ENOENT);
        mbr[0x1fe + i] ^= 1;
    }
    assert_int_equal(gpt_parse_mbr(mbr, 12, &partition), 0);
    mbr[0x1c2] = 0xee; /* there for those alone who know no GPT */
    assert_int_equal(gpt_parse_mbr(mbr, 12, &partition), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_found_by_its_number),
        cmocka_unit_test(an_entry_has_a_uuid_and_a_label),
        cmocka_unit_test(a_label_is_written_as_utf_8),
        cmocka_unit_test(an_mbr_names_the_disk_and_a_number),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
