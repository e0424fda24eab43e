/* journal: events for journalctl. */
/* Where in the source it was sent says nothing: it is always here. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "journal.h"

#include "base/text.h"
#include "telemetry_table.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* An event's own, and those that every event has. */
#define FIELDS       (FIELDS_MAX + 8u)
#define MESSAGE_SIZE 2048u
/* The bytes of one entry's fields together; no event comes near it. */
#define ENTRY_SIZE 16384u

struct entry {
    struct iovec fields[FIELDS];
    int count;
    char bytes[ENTRY_SIZE];
    size_t used;
};

bool journal_is_there(void)
{
    return access("/run/systemd/journal/socket", W_OK) == 0;
}

__attribute__((format(printf, 2, 3))) static void add_field(struct entry *entry, const char *format,
                                                            ...)
{
    size_t left = sizeof(entry->bytes) - entry->used;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(entry->bytes + entry->used, left, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= left || (size_t)entry->count >= FIELDS)
        return;
    entry->fields[entry->count++] =
        (struct iovec){entry->bytes + entry->used, text_clean(entry->bytes + entry->used)};
    entry->used += (size_t)n;
}

void journal_format_field_name(const char *name, char *buffer, size_t capacity)
{
    size_t used = (size_t)snprintf(buffer, capacity, "GUESTLINK_");

    for (size_t i = 0; name[i] != '\0' && used + 2 < capacity; i++) {
        unsigned char c = (unsigned char)name[i];

        if (i > 0 && isupper(c) && !isupper((unsigned char)name[i - 1]))
            buffer[used++] = '_';
        buffer[used++] = (char)(isalnum(c) && c < 0x80 ? toupper(c) : '_');
    }
    buffer[used < capacity ? used : capacity - 1] = '\0';
}

__attribute__((format(printf, 4, 5))) static size_t append(char *buffer, size_t capacity,
                                                           size_t used, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(buffer + used, capacity - used, format, arguments);
    va_end(arguments);
    used += n < 0 ? 0 : (size_t)n;
    return used < capacity ? used : capacity - 1;
}

void journal_format_message(enum telemetry_event event, const struct telemetry_source *source,
                            const struct fields *fields, char *buffer, size_t capacity)
{
    char value[FIELDS_VALUE_SIZE];
    size_t used = 0, size;

    if (source != NULL && source->vm != NULL)
        used = append(buffer, capacity, used, "vm %s: ", source->vm);
    used = append(buffer, capacity, used, "%s", telemetry_table_get(event)->phrase);
    for (unsigned i = 0; fields != NULL && i < fields->count; i++)
        used = append(buffer, capacity, used, "%s%s %s", i == 0 ? " (" : ", ", fields->items[i].key,
                      field_value(&fields->items[i], value, &size));
    if (fields != NULL && fields->count > 0)
        (void)append(buffer, capacity, used, ")");
    (void)text_clean(buffer);
}

void journal_send(enum telemetry_event event, const struct telemetry_source *source,
                  const struct fields *fields)
{
    const struct telemetry_kind *kind = telemetry_table_get(event);
    char message[MESSAGE_SIZE], name[64], value[FIELDS_VALUE_SIZE];
    struct entry entry;
    size_t size;

    entry.count = 0;
    entry.used = 0;
    journal_format_message(event, source, fields, message, sizeof(message));
    add_field(&entry, "MESSAGE=%s", message);
    add_field(&entry, "MESSAGE_ID=%s", kind->message_id);
    add_field(&entry, "PRIORITY=%d", kind->priority);
    add_field(&entry, "SYSLOG_IDENTIFIER=guestlink-hostd");
    add_field(&entry, "GUESTLINK_EVENT=%s", kind->name);
    if (source != NULL && source->vm != NULL)
        add_field(&entry, "GUESTLINK_VM=%s", source->vm);
    if (source != NULL && source->vm_id != NULL)
        add_field(&entry, "GUESTLINK_VM_ID=%s", source->vm_id);
    if (source != NULL && source->boot_id != NULL)
        add_field(&entry, "GUESTLINK_BOOT_ID=%s", source->boot_id);
    for (unsigned i = 0; fields != NULL && i < fields->count; i++) {
        journal_format_field_name(fields->items[i].key, name, sizeof(name));
        add_field(&entry, "%s=%s", name, field_value(&fields->items[i], value, &size));
    }
    (void)sd_journal_sendv(entry.fields, entry.count);
}
