/* power: how this machine is powered off. */
#include "power.h"

#include <unistd.h>

static bool has_acpi(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return access("/sys/firmware/acpi", F_OK) == 0; /* not there with acpi=off either */
#else
    return true; /* firmware does it: PSCI, SBI, diagnose */
#endif
}

bool power_off_by_reboot(enum cmdline_power_off wanted)
{
    return wanted == CMDLINE_POWER_OFF_REBOOT || (wanted == CMDLINE_POWER_OFF_AUTO && !has_acpi());
}
