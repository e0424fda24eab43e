/*
 * fields: the fields of one event, in addition to those of every event: a list of names and values,
 * on the stack of the caller. Nothing is copied: keys, texts and MACs must live until it is told.
 */
#ifndef GUESTLINK_HOSTD_FIELDS_H
#define GUESTLINK_HOSTD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The event with the most, GuestReady, has 18. */
#define FIELDS_MAX 24u

/* What field_value() may need: the digits of 2^64, or a MAC address, and NUL. */
#define FIELDS_VALUE_SIZE 24u

struct field {
    const char *key;
    enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG, FIELD_ADDRESS, FIELD_MAC } kind;
    const char *text;   /* of a FIELD_TEXT, else NULL */
    const uint8_t *mac; /* of a FIELD_MAC */
    uint64_t number;    /* of all others */
};

struct fields {
    unsigned count;
    struct field items[FIELDS_MAX];
};

/* Each adds one field; one beyond FIELDS_MAX is left out. */
void fields_text(struct fields *fields, const char *key, const char *value);
void fields_number(struct fields *fields, const char *key, uint64_t value);
void fields_flag(struct fields *fields, const char *key, bool value);
/* An address: "0x14000000". */
void fields_address(struct fields *fields, const char *key, uint64_t value);
/* "52:54:00:12:34:56" */
void fields_mac(struct fields *fields, const char *key, const uint8_t mac[6]);

/* True if the value is a text in JSON: neither a number nor true or false. */
bool field_is_text(const struct field *field);

/*
 * The value as text: its own, or written into the buffer.
 *
 * @param buffer    of FIELDS_VALUE_SIZE bytes
 * @param ret_size  bytes without NUL
 */
const char *field_value(const struct field *field, char *buffer, size_t *ret_size);

#endif
