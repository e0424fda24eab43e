/* Which QEMU it is is read of its greeting, whatever that says; which one takes passt. */
#include "base/qemu_version.h"
#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_greetings_have_a_version_or_none(void **state)
{
    static const struct {
        const char *greeting, *version;
        bool takes_passt;
    } cases[] = {
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": 0, \"micro\": 13}}}}",
         "10.0", true},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 9, \"minor\": 2}}}}", "9.2", false},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 9999, \"minor\": 9999}}}}", "9999.9999",
         true},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10000, \"minor\": 0}}}}", "", false},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": -1, \"minor\": 0}}}}", "", false},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": -1}}}}", "", false},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10}}}}", "", false},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"10\", \"minor\": 0}}}}", "", false},
        {"{\"QMP\": {\"version\": {\"qemu\": [10, 0]}}}", "", false},
        {"{\"QMP\": {\"version\": null}}", "", false},
        {"{\"QMP\": 10}", "", false},
        {"[]", "", false},
        {"null", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *greeting = json_tokener_parse(cases[i].greeting);
        char version[QEMU_VERSION_SIZE] = "before";

        qemu_version_read(greeting, version);
        assert_string_equal(version, cases[i].version);
        assert_int_equal(qemu_version_takes_passt(version), cases[i].takes_passt);
        json_object_put(greeting);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings_have_a_version_or_none),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
