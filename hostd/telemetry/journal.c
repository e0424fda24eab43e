/* journal: events for journalctl. */
/* Where in the source it was sent says nothing: it is always here. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "journal.h"

#include "telemetry_table.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* No event has more than 20 fields of its own; more would be left out. */
#define FIELDS       48u
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
    entry->fields[entry->count++] = (struct iovec){entry->bytes + entry->used, (size_t)n};
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

/* The text that a string says, without quotes; anything else as JSON. */
static const char *value_text(struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string)
                           ? json_object_get_string(value)
                           : json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);

    return text != NULL ? text : "";
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
                            struct json_object *fields, char *buffer, size_t capacity)
{
    size_t used = 0;
    unsigned told = 0;

    if (source != NULL && source->vm != NULL)
        used = append(buffer, capacity, used, "vm %s: ", source->vm);
    used = append(buffer, capacity, used, "%s", telemetry_table_get(event)->phrase);
    if (fields != NULL) {
        json_object_object_foreach(fields, name, value)
        {
            used = append(buffer, capacity, used, "%s%s %s", told++ == 0 ? " (" : ", ", name,
                          value_text(value));
        }
    }
    if (told > 0)
        (void)append(buffer, capacity, used, ")");
    for (; *buffer != '\0'; buffer++)
        if ((unsigned char)*buffer < 0x20 || *buffer == 0x7F)
            *buffer = ' ';
}

void journal_send(enum telemetry_event event, const struct telemetry_source *source,
                  struct json_object *fields)
{
    const struct telemetry_kind *kind = telemetry_table_get(event);
    char message[MESSAGE_SIZE], name[64];
    struct entry entry;

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
    if (fields != NULL) {
        json_object_object_foreach(fields, key, value)
        {
            journal_format_field_name(key, name, sizeof(name));
            add_field(&entry, "%s=%s", name, value_text(value));
        }
    }
    (void)sd_journal_sendv(entry.fields, entry.count);
}
