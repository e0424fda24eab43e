/* config reader: tables of keys against a tree. */
#include "reader.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE   256u
#define REMARK_SIZE 1024u

/* "vms[0].shares[1].tag"; what does not fit is cut. */
static size_t write_path(const struct config_json *node, char *buffer, size_t size)
{
    size_t used;
    int n;

    if (node->parent == NULL) {
        buffer[0] = '\0';
        return 0;
    }
    used = write_path(node->parent, buffer, size);
    if (node->key == NULL)
        n = snprintf(buffer + used, size - used, "[%zu]", node->index);
    else
        n = snprintf(buffer + used, size - used, "%s%.40s", used == 0 ? "" : ".", node->key);
    used += n < 0 ? 0 : (size_t)n;
    return used < size ? used : size - 1;
}

static void remark(const struct config_reader *reader, config_remark_fn fn,
                   const struct config_json *node, const char *end, const char *format,
                   va_list arguments)
{
    char path[PATH_SIZE], text[REMARK_SIZE], line[2 * REMARK_SIZE];

    if (fn == NULL)
        return;
    (void)write_path(node, path, sizeof(path));
    (void)vsnprintf(text, sizeof(text), format, arguments);
    (void)snprintf(line, sizeof(line), "%s:%u: %s%s%s%s", reader->name, node->line, path,
                   path[0] == '\0' ? "" : ": ", text, end);
    config_text_sanitise(line);
    fn(reader->userdata, line);
}

void config_reader_error(struct config_reader *reader, const struct config_json *node,
                         const char *format, ...)
{
    va_list arguments;

    reader->errors++;
    va_start(arguments, format);
    remark(reader, reader->on_error, node,
           reader->fate != NULL ? reader->fate : "; not using this file", format, arguments);
    va_end(arguments);
}

void config_reader_warn(struct config_reader *reader, const struct config_json *node,
                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    remark(reader, reader->on_warning, node, "", format, arguments);
    va_end(arguments);
}

const char *config_reader_value(const struct config_json *node, char value[CONFIG_READER_VALUE])
{
    if (node->type == CONFIG_JSON_TEXT)
        (void)snprintf(value, CONFIG_READER_VALUE, "\"%.*s\"%s", 48, node->text,
                       strlen(node->text) > 48 ? "…" : "");
    else if (node->type == CONFIG_JSON_NUMBER)
        (void)snprintf(value, CONFIG_READER_VALUE, "%.40s", node->text);
    else if (node->type == CONFIG_JSON_BOOL)
        (void)snprintf(value, CONFIG_READER_VALUE, "%s", node->boolean ? "true" : "false");
    else
        (void)snprintf(value, CONFIG_READER_VALUE, "%s", config_json_type_text(node->type));
    return value;
}

void config_reader_expected(struct config_reader *reader, const struct config_json *node,
                            const char *expected)
{
    char value[CONFIG_READER_VALUE];

    config_reader_error(reader, node, "%s, expected %s", config_reader_value(node, value),
                        expected);
}

static void tell_unknown(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *fields, size_t count)
{
    char known[REMARK_SIZE / 2];
    size_t best = 4, used = 0;
    const char *nearest = NULL;

    known[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t distance = config_text_distance(node->key, fields[i].key);

        if (distance < best && distance < strlen(fields[i].key)) {
            best = distance;
            nearest = fields[i].key;
        }
        if (used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ",
                                     fields[i].key);
    }
    if (nearest != NULL)
        config_reader_error(reader, node, "unknown key, expected `%s`?", nearest);
    else
        config_reader_error(reader, node, "unknown key, expected one of: %s", known);
}

/* Keys that are twice, or not ours. Objects have at most CONFIG_JSON_KEYS keys. */
static void check_keys(struct config_reader *reader, const struct config_json *object,
                       const struct config_field *fields, size_t count)
{
    for (const struct config_json *node = object->first; node != NULL; node = node->next) {
        const struct config_json *first = config_json_find(object, node->key);
        size_t i = 0;

        while (i < count && strcmp(fields[i].key, node->key) != 0)
            i++;
        if (first != node)
            config_reader_error(reader, node, "duplicate key, expected once (first on line %u)",
                                first->line);
        else if (i == count)
            tell_unknown(reader, node, fields, count);
    }
}

void config_reader_object(struct config_reader *reader, const struct config_json *node,
                          const struct config_field *fields, size_t count, void *to)
{
    if (node->type != CONFIG_JSON_OBJECT) {
        config_reader_expected(reader, node, "an object");
        return;
    }
    check_keys(reader, node, fields, count); /* first: a misspelled key explains later remarks */
    for (size_t i = 0; i < count; i++) {
        const struct config_json *child = config_json_find(node, fields[i].key);

        if (child != NULL)
            fields[i].read(reader, child, &fields[i], (char *)to + fields[i].offset);
        else if (fields[i].required)
            config_reader_error(reader, node, "no key `%s`, expected one", fields[i].key);
    }
}

bool config_reader_list(struct config_reader *reader, const struct config_json *node, size_t limit,
                        size_t item_size, void **ret_items)
{
    void *items = NULL;

    if (node->type != CONFIG_JSON_LIST) {
        config_reader_expected(reader, node, "a list");
        return false;
    }
    if (node->count > limit) {
        config_reader_error(reader, node, "%zu entries, expected at most %zu", node->count, limit);
        return false;
    }
    if (node->count > 0) {
        items = calloc(node->count, item_size);
        if (items == NULL) {
            reader->out_of_memory = true;
            return false;
        }
    }
    *ret_items = items;
    return true;
}

void config_read_bool(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to)
{
    (void)field;
    if (node->type != CONFIG_JSON_BOOL)
        config_reader_expected(reader, node, "true or false");
    else
        *(bool *)to = node->boolean;
}

void config_read_u32(struct config_reader *reader, const struct config_json *node,
                     const struct config_field *field, void *to)
{
    uint64_t value;
    char expected[80];

    if (node->type == CONFIG_JSON_NUMBER && config_text_parse_size(node->text, &value) == 0 &&
        value >= field->min && value <= field->max) {
        *(uint32_t *)to = (uint32_t)value;
        return;
    }
    (void)snprintf(expected, sizeof(expected), "a whole number from %" PRIu64 " to %" PRIu64,
                   field->min, field->max);
    config_reader_expected(reader, node, expected);
}

void config_read_size(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to)
{
    uint64_t value;
    char expected[120];

    if ((node->type == CONFIG_JSON_NUMBER || node->type == CONFIG_JSON_TEXT) &&
        config_text_parse_size(node->text, &value) == 0 && value >= field->min &&
        value <= field->max) {
        *(uint64_t *)to = value;
        return;
    }
    (void)snprintf(expected, sizeof(expected),
                   "bytes, or a size such as \"512M\" or \"2G\", from %" PRIu64 " to %" PRIu64,
                   field->min, field->max);
    config_reader_expected(reader, node, expected);
}

void config_read_enum(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to)
{
    char expected[160];
    size_t used = 0;
    int value = 0;

    for (; field->names[value] != NULL; value++) {
        if (node->type == CONFIG_JSON_TEXT && strcmp(node->text, field->names[value]) == 0) {
            memcpy(to, &value, sizeof(value));
            return;
        }
    }
    for (int i = 0; i < value && used < sizeof(expected); i++)
        used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%s\"%s\"",
                                 i == 0           ? ""
                                 : i == value - 1 ? " or "
                                                  : ", ",
                                 field->names[i]);
    config_reader_expected(reader, node, expected);
}

/* @return a copy of the node's text, or NULL; told */
static char *copy_text(struct config_reader *reader, const struct config_json *node,
                       const struct config_field *field)
{
    const char *expected = NULL;
    char *copy;

    if (node->type != CONFIG_JSON_TEXT)
        expected = "text";
    else if (field->check != NULL)
        expected = field->check(node->text);
    if (expected != NULL) {
        config_reader_expected(reader, node, expected);
        return NULL;
    }
    copy = strdup(node->text);
    if (copy == NULL)
        reader->out_of_memory = true;
    return copy;
}

void config_read_text(struct config_reader *reader, const struct config_json *node,
                      const struct config_field *field, void *to)
{
    char **text = to, *copy = copy_text(reader, node, field);

    if (copy == NULL)
        return;
    free(*text);
    *text = copy;
}

void config_reader_add_texts(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, struct config_strings *to)
{
    const struct config_json *one = node->type == CONFIG_JSON_LIST ? node->first : node;
    size_t more = node->type == CONFIG_JSON_LIST ? node->count : 1;
    char **items = realloc(to->items, (to->count + more + 1) * sizeof(*items));

    if (items == NULL) {
        reader->out_of_memory = true;
        return;
    }
    to->items = items;
    for (size_t i = 0; i < more; i++, one = one->next) {
        char *copy = copy_text(reader, one, field);

        if (copy != NULL)
            items[to->count++] = copy;
    }
    items[to->count] = NULL;
}

void config_read_texts(struct config_reader *reader, const struct config_json *node,
                       const struct config_field *field, void *to)
{
    char expected[80];

    if (node->type == CONFIG_JSON_LIST && node->count >= field->min && node->count <= field->max) {
        if (node->count > 0)
            config_reader_add_texts(reader, node, field, to);
        return;
    }
    (void)snprintf(expected, sizeof(expected), "a list of %" PRIu64 " to %" PRIu64 " strings",
                   field->min, field->max);
    if (node->type == CONFIG_JSON_LIST)
        config_reader_error(reader, node, "%zu entries, expected %s", node->count, expected);
    else
        config_reader_expected(reader, node, expected);
}
