/* power: how a machine is powered off. Whether it has ACPI is the test's (CMakeLists.txt). */
#include "init/kernel/power.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool has_acpi;

int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    assert_string_equal(path, "/sys/firmware/acpi");
    assert_int_equal(mode, F_OK);
    errno = ENOENT;
    return has_acpi ? 0 : -1;
}

/* Elsewhere than on a PC firmware does it without ACPI. */
static void without_acpi_a_pc_is_powered_off_by_a_reboot(void **state)
{
#if defined(__x86_64__) || defined(__i386__)
    const bool needs_acpi = true;
#else
    const bool needs_acpi = false;
#endif

    (void)state;
    for (int i = 0; i < 2; i++) {
        has_acpi = i == 0;
        assert_int_equal(power_off_by_reboot(CMDLINE_POWER_OFF_AUTO), needs_acpi && !has_acpi);
        assert_true(power_off_by_reboot(CMDLINE_POWER_OFF_REBOOT));
        assert_false(power_off_by_reboot(CMDLINE_POWER_OFF_ACPI));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_acpi_a_pc_is_powered_off_by_a_reboot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
