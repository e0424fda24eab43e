/*
 * config reader: from the tree of a file to C structs, by tables of keys; every error is told with
 * file, line and key path, and reading goes on behind it.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_READER_H
#define GUESTLINK_HOSTD_CONFIG_READER_H

#include "config.h"
#include "json.h"

struct config_reader {
    const char *name; /* of the file, for remarks */
    const char *fate; /* what an error means; NULL: "not using this file" */
    config_remark_fn on_warning, on_error;
    void *userdata;
    unsigned errors;
    bool out_of_memory;
};

struct config_field;

/* Of a value in a remark. */
#define CONFIG_READER_VALUE 64u

/* Reads @p node into @p to, or tells an error and leaves @p to as it is. */
typedef void (*config_read_fn)(struct config_reader *reader, const struct config_json *node,
                               const struct config_field *field, void *to);

/* NULL if @p text will do, else what was expected. */
typedef const char *(*config_check_fn)(const char *text);

/* One key of an object. */
struct config_field {
    const char *key;
    config_read_fn read;
    size_t offset; /* of what is read, in the struct */
    bool required;
    uint64_t min, max;        /* of a number; of a list's length */
    const char *const *names; /* of an enum's values, in order, NULL at the end */
    config_check_fn check;    /* of a text, or of each text of a list; NULL takes any */
};

/* A key named as the member of struct @p type that config_read_<kind> reads it into. */
#define CONFIG_KEY(type, name, kind, ...)                                                          \
    {                                                                                              \
        .key = #name, .read = config_read_##kind, .offset = offsetof(struct type, name),           \
        __VA_ARGS__                                                                                \
    }

#define CONFIG_FIELDS(table) table, sizeof(table) / sizeof((table)[0])

/*
 * Reads an object by a table: fields in the table's order, so that a later one can build on an
 * earlier one. Duplicate and unknown keys are reported first.
 */
void config_reader_object(struct config_reader *reader, const struct config_json *node,
                          const struct config_field *fields, size_t count, void *to);

/*
 * Makes room for a list of objects: calloc(), of the caller's.
 *
 * @param limit      entries at most
 * @param ret_items  set on success, NULL for an empty list
 * @return false if it is no list, too long, or there is no memory; told
 */
bool config_reader_list(struct config_reader *reader, const struct config_json *node, size_t limit,
                        size_t item_size, void **ret_items);

/* A value as a person would name it. @return @p value */
const char *config_reader_value(const struct config_json *node, char value[CONFIG_READER_VALUE]);

void config_read_bool(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to); /* bool */
void config_read_u32(struct config_reader *reader, const struct config_json *node,
                     const struct config_field *field, void *to); /* uint32_t */
void config_read_size(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to); /* uint64_t, bytes or "64M" */
void config_read_enum(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to); /* an enum */
void config_read_text(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to); /* char *; what was is freed */
void config_read_texts(struct config_reader *reader, const struct config_json *node,
                       const struct config_field *field, void *to); /* struct config_strings */

/* Puts the copies of @p node, a text, or of its texts behind those of @p to; checks each. */
void config_reader_add_texts(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, struct config_strings *to);

/* "FILE:LINE: KEY: what was found, expected EXPECTED; not using this file" */
void config_reader_expected(struct config_reader *reader, const struct config_json *node,
                            const char *expected);
/* "FILE:LINE: KEY: <format>; not using this file" */
__attribute__((format(printf, 3, 4))) void config_reader_error(struct config_reader *reader,
                                                               const struct config_json *node,
                                                               const char *format, ...);
/* "FILE:LINE: KEY: <format>" */
__attribute__((format(printf, 3, 4))) void config_reader_warn(struct config_reader *reader,
                                                              const struct config_json *node,
                                                              const char *format, ...);

#endif
