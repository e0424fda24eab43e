/* fields: an event's own names and values, and how each value reads. */
#include "fields.h"

#include "base/text.h"

#include <string.h>

static void add(struct fields *fields, struct field field)
{
    if (fields->count < FIELDS_MAX)
        fields->items[fields->count++] = field;
}

void fields_text(struct fields *fields, const char *key, const char *value)
{
    add(fields, (struct field){.key = key, .kind = FIELD_TEXT, .text = value});
}

void fields_number(struct fields *fields, const char *key, uint64_t value)
{
    add(fields, (struct field){.key = key, .kind = FIELD_NUMBER, .number = value});
}

void fields_flag(struct fields *fields, const char *key, bool value)
{
    add(fields, (struct field){.key = key, .kind = FIELD_FLAG, .number = value});
}

void fields_address(struct fields *fields, const char *key, uint64_t value)
{
    add(fields, (struct field){.key = key, .kind = FIELD_ADDRESS, .number = value});
}

void fields_mac(struct fields *fields, const char *key, const uint8_t mac[6])
{
    add(fields, (struct field){.key = key, .kind = FIELD_MAC, .mac = mac});
}

bool field_is_text(const struct field *field)
{
    return field->kind != FIELD_NUMBER && field->kind != FIELD_FLAG;
}

/* Writes the digits in front of @p end. @return the first */
static char *put_digits(char *end, uint64_t number, unsigned base)
{
    do {
        *--end = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    return end;
}

const char *field_value(const struct field *field, char *buffer, size_t *ret_size)
{
    char *end = buffer + FIELDS_VALUE_SIZE - 1;
    const char *text = field->text;

    *end = '\0';
    switch (field->kind) {
    case FIELD_TEXT:
        break;
    case FIELD_NUMBER:
        text = put_digits(end, field->number, 10);
        break;
    case FIELD_FLAG:
        text = field->number ? "true" : "false";
        break;
    case FIELD_ADDRESS: {
        char *digits = put_digits(end, field->number, 16);

        *--digits = 'x';
        *--digits = '0';
        text = digits;
        break;
    }
    case FIELD_MAC:
        text_mac(field->mac, buffer);
        text = buffer;
        break;
    }
    *ret_size = strlen(text);
    return text;
}
