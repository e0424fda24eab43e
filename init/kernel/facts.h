/*
 * facts: what this guest can do, measured for CAPABILITIES.
 */
#ifndef GUESTLINK_INIT_FACTS_H
#define GUESTLINK_INIT_FACTS_H

#include <stdbool.h>

#include "cmdline.h"
#include "module_list.h"
#include "protocol/capabilities.h"
#include "protocol/frame.h"

/*
 * Measures everything but sent_ns. Blocks on nothing but procfs and sysfs; what cannot be read is 0
 * and logged.
 *
 * @param list        modules that are going to be loaded count as what they bring
 * @param started_ns  CLOCK_BOOTTIME when PID 1 began
 */
void facts_measure(const struct cmdline *cmdline, struct module_list *list, uint64_t started_ns,
                   struct guest_capabilities *ret);

/* True if /proc/filesystems' text @p text has the filesystem @p name. */
bool facts_lists_filesystem(const char *text, const char *name);

/* Reads a UUID of 36 characters, as the kernel writes its boot_id. @return 0 or -EINVAL */
int facts_parse_uuid(const char *text, uint8_t ret_uuid[16]);

#endif
