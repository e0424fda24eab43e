/*
 * journal: an event as a structured entry of the systemd journal.
 *
 * Fields: MESSAGE, MESSAGE_ID, PRIORITY, SYSLOG_IDENTIFIER, GUESTLINK_EVENT, GUESTLINK_VM,
 * GUESTLINK_VM_ID, GUESTLINK_BOOT_ID, and for each field of the event's own GUESTLINK_ and its
 * name in capitals (shareCount: GUESTLINK_SHARE_COUNT).
 */
#ifndef GUESTLINK_HOSTD_JOURNAL_H
#define GUESTLINK_HOSTD_JOURNAL_H

#include "telemetry.h"

#include <stdbool.h>
#include <stddef.h>

/* True if a journal is there to be written to. */
bool journal_is_there(void);

/* Sends an event; one that cannot be sent is lost. @param fields  may be NULL */
void journal_send(enum telemetry_event event, const struct telemetry_source *source,
                  const struct fields *fields);

/*
 * Writes what a person reads of an event: "vm dev: a guest connected (cid 4, port 1023)".
 *
 * @param buffer  what does not fit is cut
 */
void journal_format_message(enum telemetry_event event, const struct telemetry_source *source,
                            const struct fields *fields, char *buffer, size_t capacity);

/*
 * Writes a field's name for the journal: "HvPciSwiotlbBase" to "GUESTLINK_HV_PCI_SWIOTLB_BASE".
 *
 * @param buffer  what does not fit is cut
 */
void journal_format_field_name(const char *name, char *buffer, size_t capacity);

#endif
