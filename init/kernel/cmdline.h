/*
 * cmdline: what the kernel's command line says to PID 1.
 *
 * Parameters with a dot in their names are not handed to PID 1, so they are read from
 * /proc/cmdline. A value that cannot be understood is kept out, its word is in `warnings`, and the
 * default is used: PID 1 cannot refuse to start.
 */
#ifndef GUESTLINK_INIT_CMDLINE_H
#define GUESTLINK_INIT_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "link/host_address.h"

/* How a machine is powered off; CMDLINE_POWER_OFF_AUTO: as power.h finds out. */
enum cmdline_power_off {
    CMDLINE_POWER_OFF_AUTO = 0,
    CMDLINE_POWER_OFF_ACPI,
    CMDLINE_POWER_OFF_REBOOT,
};

struct cmdline_warning {
    const char *word; /* in the text given to cmdline_parse(): valid as long as that is */
    const char *expected;
};

struct cmdline {
    struct host_address host;         /* guestlink.host= */
    bool power_off_on_host_loss;      /* guestlink.on_host_loss=poweroff */
    enum cmdline_power_off power_off; /* guestlink.poweroff= */
    uint32_t connect_timeout_ms;      /* guestlink.connect_timeout_ms= */
    int log_level;                    /* guestlink.log_level=0…7 */
    bool swiotlb_asked;               /* hv_pci_swiotlb= is there, whatever its value */
    bool swiotlb_forced;              /* swiotlb=…,force: devices use the kernel's default pool */
    bool has_modules;                 /* guestlink.modules= is there; it may be empty */
    char modules[1024];               /* its value: names with `,` between */
    char root[256];                   /* guestlink.root=: "" for none (switch_root.h) */
    char root_options[128];           /* guestlink.root_options= */
    char root_init[128];              /* guestlink.root_init=: "/sbin/init" */
    size_t payload_words;             /* words after `--` */
    size_t warning_count;
    struct cmdline_warning warnings[INIT_CMDLINE_WARNINGS]; /* values that were not understood */
};

/* Reads a command line, and cuts @p text into its words. Never fails. */
void cmdline_parse(char *text, struct cmdline *ret);

/* True if the command line asks for a pool that virtio devices go through. */
static inline bool cmdline_may_bounce(const struct cmdline *cmdline)
{
    return cmdline->swiotlb_forced || cmdline->swiotlb_asked;
}

#endif
