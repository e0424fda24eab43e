/* credential: OEM strings of SMBIOS. */
#include "descriptors.h"
#include "init/work/credential.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STRINGS                                                                                    \
    "\x0b\x05\x00\x01\x03"                                                                         \
    "other=1\0io.systemd.credential:vmm.notify_socket=vsock:2:99\0last\0"

static void a_credential_is_found_by_its_whole_name(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS),
                                            "vmm.notify_socket", value, sizeof(value)),
                     0);
    assert_string_equal(value, "vsock:2:99");
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS), "vmm.notify",
                                            value, sizeof(value)),
                     -ENOENT);
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS),
                                            "vmm.notify_socket", value, 5),
                     -ENAMETOOLONG);
}

static void other_and_broken_structures_are_refused(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(
        credential_find_smbios((const uint8_t *)"\x0c\x05\0\0\1x\0", 8, "x", value, 32), -EINVAL);
    assert_int_equal(
        credential_find_smbios((const uint8_t *)"\x0b\x04\0\0\1x\0", 8, "x", value, 32), -EINVAL);
    for (size_t size = 0; size < sizeof(STRINGS) - 8; size++)
        assert_true(credential_find_smbios((const uint8_t *)STRINGS, size, "vmm.notify_socket",
                                           value, sizeof(value)) < 0 ||
                    size > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credential_is_found_by_its_whole_name),
        cmocka_unit_test(other_and_broken_structures_are_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
