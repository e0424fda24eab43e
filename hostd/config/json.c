/* config json: a recursive descent over text in memory, bounded in depth, in width and in all. */
#include "json.h"

#include "cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct config_cursor cursor;
    const char *text;
    unsigned depth;
    size_t nodes;
};

static int parse_value(struct parser *parser, struct config_json *node);

static size_t count_digits(struct parser *parser)
{
    size_t count = 0;

    for (; parser->cursor.at < parser->cursor.end && *parser->cursor.at >= '0' &&
           *parser->cursor.at <= '9';
         count++)
        parser->cursor.at++;
    return count;
}

static int parse_number(struct parser *parser, struct config_json *node)
{
    const char *start = parser->cursor.at;

    node->type = CONFIG_JSON_NUMBER;
    (void)config_cursor_take(&parser->cursor, '-');
    if (!config_cursor_take(&parser->cursor, '0') && count_digits(parser) == 0)
        return config_cursor_fail_here(&parser->cursor, "a value");
    if (config_cursor_take(&parser->cursor, '.') && count_digits(parser) == 0)
        return config_cursor_fail_here(&parser->cursor, "digits after the decimal point");
    if (config_cursor_take(&parser->cursor, 'e') || config_cursor_take(&parser->cursor, 'E')) {
        if (!config_cursor_take(&parser->cursor, '+'))
            (void)config_cursor_take(&parser->cursor, '-');
        if (count_digits(parser) == 0)
            return config_cursor_fail_here(&parser->cursor, "digits of the exponent");
    }
    node->text = strndup(start, (size_t)(parser->cursor.at - start));
    return node->text == NULL ? -ENOMEM : 0;
}

/* @return NULL: no memory */
static struct config_json *add_child(struct parser *parser, struct config_json *parent)
{
    struct config_json *child = calloc(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    parser->nodes++;
    child->line = parser->cursor.line;
    child->parent = parent;
    child->index = parent->count++;
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
    return child;
}

static int parse_member(struct parser *parser, struct config_json *parent)
{
    bool keyed = parent->type == CONFIG_JSON_OBJECT;
    unsigned limit = keyed ? CONFIG_JSON_KEYS : CONFIG_JSON_ITEMS;
    struct config_json *child;
    int r = 0;

    if (parent->count >= limit)
        return config_cursor_fail(&parser->cursor, "more than %u entries, expected fewer", limit);
    if (parser->nodes >= CONFIG_JSON_NODES)
        return config_cursor_fail(&parser->cursor, "more than %u values in all, expected fewer",
                                  CONFIG_JSON_NODES);
    child = add_child(parser, parent);
    if (child == NULL)
        return -ENOMEM;
    if (keyed)
        r = config_cursor_take_text(&parser->cursor, &child->key);
    if (r == 0 && keyed)
        r = config_cursor_skip_blank(&parser->cursor);
    if (r == 0 && keyed && !config_cursor_take(&parser->cursor, ':'))
        r = config_cursor_fail_here(&parser->cursor, "`:` after the key");
    if (r == 0 && keyed)
        r = config_cursor_skip_blank(&parser->cursor);
    if (r == 0)
        r = parse_value(parser, child);
    child->end = (size_t)(parser->cursor.at - parser->text);
    if (r == 0)
        r = config_cursor_skip_blank(&parser->cursor);
    return r;
}

/* A list or an object, behind its opening bracket. */
static int parse_members(struct parser *parser, struct config_json *node, char close)
{
    int r;

    if (++parser->depth > CONFIG_JSON_DEPTH)
        return config_cursor_fail(&parser->cursor, "more than %u levels, expected fewer",
                                  CONFIG_JSON_DEPTH);
    r = config_cursor_skip_blank(&parser->cursor);
    if (r != 0)
        return r;
    if (!config_cursor_take(&parser->cursor, close)) {
        do {
            r = config_cursor_skip_blank(&parser->cursor);
            if (r == 0)
                r = parse_member(parser, node);
            if (r != 0)
                return r;
        } while (config_cursor_take(&parser->cursor, ','));
        if (!config_cursor_take(&parser->cursor, close))
            return config_cursor_fail_here(&parser->cursor,
                                           close == ']' ? "`,` or `]`" : "`,` or `}`");
    }
    parser->depth--;
    return 0;
}

static int parse_word(struct parser *parser, struct config_json *node)
{
    static const struct {
        const char *word;
        enum config_json_type type;
        bool boolean;
    } words[] = {
        {"true", CONFIG_JSON_BOOL, true},
        {"false", CONFIG_JSON_BOOL, false},
        {"null", CONFIG_JSON_NULL, false},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (config_cursor_starts_with(&parser->cursor, words[i].word)) {
            node->type = words[i].type;
            node->boolean = words[i].boolean;
            parser->cursor.at += strlen(words[i].word);
            return 0;
        }
    }
    return parse_number(parser, node);
}

static int parse_value(struct parser *parser, struct config_json *node)
{
    if (config_cursor_take(&parser->cursor, '{')) {
        node->type = CONFIG_JSON_OBJECT;
        return parse_members(parser, node, '}');
    }
    if (config_cursor_take(&parser->cursor, '[')) {
        node->type = CONFIG_JSON_LIST;
        return parse_members(parser, node, ']');
    }
    if (parser->cursor.at < parser->cursor.end && *parser->cursor.at == '"') {
        node->type = CONFIG_JSON_TEXT;
        return config_cursor_take_text(&parser->cursor, &node->text);
    }
    return parse_word(parser, node);
}

int config_json_parse(const char *text, size_t size, struct config_json_error *ret_error,
                      struct config_json **ret_root)
{
    struct parser parser = {.cursor = {text, text + size, 1, ret_error}, .text = text};
    struct config_json *root;
    int r;

    root = calloc(1, sizeof(*root));
    if (root == NULL)
        return -ENOMEM;
    if (config_cursor_starts_with(&parser.cursor, "\xEF\xBB\xBF"))
        parser.cursor.at += 3;
    r = config_cursor_skip_blank(&parser.cursor);
    root->line = parser.cursor.line;
    if (r == 0)
        r = parse_value(&parser, root);
    if (r == 0)
        r = config_cursor_skip_blank(&parser.cursor);
    if (r == 0 && parser.cursor.at < parser.cursor.end)
        r = config_cursor_fail_here(&parser.cursor, "nothing after the end of the document");
    if (r != 0) {
        (void)config_json_free(root);
        return r;
    }
    *ret_root = root;
    return 0;
}

struct config_json *config_json_free(struct config_json *node)
{
    struct config_json *child, *next;

    if (node == NULL)
        return NULL;
    for (child = node->first; child != NULL; child = next) {
        next = child->next;
        (void)config_json_free(child);
    }
    free(node->key);
    free(node->text);
    free(node);
    return NULL;
}

const struct config_json *config_json_find(const struct config_json *object, const char *key)
{
    for (const struct config_json *child = object->first; child != NULL; child = child->next)
        if (child->key != NULL && strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

const char *config_json_type_text(enum config_json_type type)
{
    static const char *const texts[] = {
        [CONFIG_JSON_NULL] = "null",       [CONFIG_JSON_BOOL] = "true or false",
        [CONFIG_JSON_NUMBER] = "a number", [CONFIG_JSON_TEXT] = "text",
        [CONFIG_JSON_LIST] = "a list",     [CONFIG_JSON_OBJECT] = "an object",
    };

    return texts[type];
}
