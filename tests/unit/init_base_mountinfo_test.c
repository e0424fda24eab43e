/* mountinfo: lines of the kernel's table of mounts. */
#include "descriptors.h"
#include "init/base/mountinfo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_line_is_read(void **state)
{
    struct mountinfo mount;

    (void)state;
    assert_int_equal(mountinfo_parse("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - "
                                     "virtiofs my\\134tag rw,errors=continue\n",
                                     &mount),
                     0);
    assert_string_equal(mount.target, "/mnt 2");
    assert_string_equal(mount.type, "virtiofs");
    assert_string_equal(mount.source, "my\\tag");
    assert_string_equal(mount.options, "rw,noatime");
    assert_true(mountinfo_is_share(&mount));
    assert_false(mount.read_only);
    assert_int_equal(mountinfo_parse("1 2 0:1 / /x rw - ext4 /dev/vda rw", &mount), 0);
    assert_string_equal(mount.target, "/x");
    assert_false(mountinfo_is_share(&mount));
    assert_int_equal(mountinfo_parse("1 2 0:1 / /x rw - ext4 /dev/vda ro,discard\n", &mount), 0);
    assert_true(mount.read_only); /* the filesystem is, by which ever mount */
    assert_int_equal(mountinfo_parse("1 2 0:1 / /x ro - ext4 /dev/vda rw\n", &mount), 0);
    assert_true(mount.read_only); /* the mount alone */
    assert_int_equal(mountinfo_parse("1 2 0:1 / /x rw - x root roland\n", &mount), 0);
    assert_false(mount.read_only);
    assert_int_equal(mountinfo_parse("34 31 0:31 / /x/y rw - virtiofs none rw", &mount), 0);
    assert_true(mountinfo_is_submount(&mount));
    assert_int_equal(mountinfo_parse("34 31 0:31 / /x/y rw - tmpfs none rw", &mount), 0);
    assert_false(mountinfo_is_submount(&mount));
}

/* A backslash and three octal digits of a byte; what only looks like that stays as it is. */
static void escapes_are_undone(void **state)
{
    static const char *const cases[][2] = {
        {"\\000x", ""},   {"a\\377b", "a\377b"}, {"\\307", "\307"},  {"\\070", "8"},
        {"\\007", "\a"},  {"\\400", "\\400"},    {"\\080", "\\080"}, {"\\008", "\\008"},
        {"\\04", "\\04"}, {"\\/40", "\\/40"},    {"\\0/0", "\\0/0"}, {"\\04/", "\\04/"},
        {"x040", "x040"}, {"/040", "/040"},      {"\\", "\\"},
    };
    char field[16];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *cursor = cases[i][0];

        assert_true(mountinfo_take_field(&cursor, field, sizeof(field)));
        assert_string_equal(field, cases[i][1]);
        assert_string_equal(cursor, "");
    }
}

static void a_field_fits_or_is_refused(void **state)
{
    const char *cursor = "four five";
    char field[] = "........";

    (void)state;
    assert_false(mountinfo_take_field(&cursor, field, 4));
    assert_string_equal(cursor, "four five");
    assert_string_equal(field + 4, "....");
    assert_true(mountinfo_take_field(&cursor, field, 5));
    assert_string_equal(field, "four");
    assert_string_equal(field + 5, "...");
    assert_string_equal(cursor, "five");
}

static void what_is_below_has_a_slash_between(void **state)
{
    (void)state;
    assert_true(mountinfo_is_below("/mnt/a/b", "/mnt/a"));
    assert_false(mountinfo_is_below("/mnt/ab", "/mnt/a"));
    assert_false(mountinfo_is_below("/mnt/a", "/mnt/a"));
    assert_false(mountinfo_is_below("/mnt", "/mnt/a"));
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "1",
                                      "1 2 0:1 / /x",
                                      "1 2 0:1 / /x rw",
                                      "1 2 0:1 / /x rw shared:1",
                                      "1 2 0:1 / /x rw -",
                                      "1 2 0:1 / /x rw - \n"};
    struct mountinfo mount;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (mountinfo_parse(bad[i], &mount) != -EINVAL)
            fail_msg("\"%s\"", bad[i]);
}

static void proc_is_found_where_it_is(void **state)
{
    struct mountinfo mount;

    (void)state;
    assert_int_equal(mountinfo_find("/proc", &mount), 1);
    assert_string_equal(mount.type, "proc");
    assert_int_equal(mountinfo_find("/no/such/target", &mount), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(a_field_fits_or_is_refused),
        cmocka_unit_test(what_is_below_has_a_slash_between),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(proc_is_found_where_it_is),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
