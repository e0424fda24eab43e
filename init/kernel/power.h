/*
 * power: how this machine is powered off.
 */
#ifndef GUESTLINK_INIT_POWER_H
#define GUESTLINK_INIT_POWER_H

#include <stdbool.h>

#include "cmdline.h"

/*
 * True if a power-off has to be a reboot, which ends the VM where its VMM does not start it again
 * (Firecracker; QEMU with -no-reboot). On x86 only ACPI can power off: without it the kernel halts
 * the processors forever.
 */
bool power_off_by_reboot(enum cmdline_power_off wanted);

#endif
