/* config json: a recursive descent over text in memory, bounded in depth, in width and in all. */
#include "config_json.h"

#include "protocol/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at, *end;
    unsigned line;
    unsigned depth;
    size_t nodes;
    struct config_json_error *error;
};

static int parse_value(struct parser *parser, struct config_json *node);

__attribute__((format(printf, 2, 3))) static int fail(struct parser *parser, const char *format,
                                                      ...)
{
    va_list arguments;

    parser->error->line = parser->line;
    va_start(arguments, format);
    (void)vsnprintf(parser->error->text, sizeof(parser->error->text), format, arguments);
    va_end(arguments);
    return 1;
}

/* Names what stands at the cursor, as no more than a person needs to find it. */
static int fail_here(struct parser *parser, const char *expected)
{
    if (parser->at >= parser->end)
        return fail(parser, "the file ends here, expected %s", expected);
    if (*parser->at > ' ' && *parser->at <= '~')
        return fail(parser, "`%c`, expected %s", *parser->at, expected);
    return fail(parser, "byte 0x%02x, expected %s", (unsigned)(uint8_t)*parser->at, expected);
}

static bool starts_with(const struct parser *parser, const char *word)
{
    const char *at = parser->at;

    for (; *word != '\0'; word++, at++)
        if (at >= parser->end || *at != *word)
            return false;
    return true;
}

static int skip_block_comment(struct parser *parser)
{
    unsigned begun = parser->line;

    for (parser->at += 2; parser->at < parser->end; parser->at++) {
        if (starts_with(parser, "*/")) {
            parser->at += 2;
            return 0;
        }
        if (*parser->at == '\n')
            parser->line++;
    }
    parser->line = begun;
    return fail(parser, "a comment begins here and does not end, expected `*/`");
}

static int skip_blank(struct parser *parser)
{
    int r;

    while (parser->at < parser->end) {
        if (starts_with(parser, "/*")) {
            r = skip_block_comment(parser);
            if (r != 0)
                return r;
        } else if (starts_with(parser, "//")) {
            while (parser->at < parser->end && *parser->at != '\n')
                parser->at++;
        } else if (*parser->at != '\0' && strchr(" \t\r\n", *parser->at) != NULL) {
            if (*parser->at == '\n')
                parser->line++;
            parser->at++;
        } else {
            break;
        }
    }
    return 0;
}

static bool take(struct parser *parser, char wanted)
{
    if (parser->at >= parser->end || *parser->at != wanted)
        return false;
    parser->at++;
    return true;
}

static int parse_hex4(struct parser *parser, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++, parser->at++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = NULL;

        if (parser->at < parser->end && *parser->at != '\0')
            digit = strchr(digits, *parser->at | ((*parser->at & 0x40) != 0 ? 0x20 : 0));
        if (digit == NULL)
            return fail_here(parser, "four hex digits behind `\\u`");
        value = value << 4 | (uint32_t)(digit - digits);
    }
    *ret_value = value;
    return 0;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

/* Behind `\u`. What is written here is never longer than its escape was. */
static int parse_unicode_escape(struct parser *parser, char **out)
{
    uint32_t code, low;
    int r;

    r = parse_hex4(parser, &code);
    if (r != 0)
        return r;
    if (code >= 0xD800 && code < 0xDC00 && starts_with(parser, "\\u")) {
        parser->at += 2;
        r = parse_hex4(parser, &low);
        if (r != 0)
            return r;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(parser, "half a surrogate pair, expected the other half");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0 || (code >= 0xD800 && code < 0xE000))
        return fail(parser, "`\\u%04x` in a text, expected a character", code);
    *out = put_utf8(*out, code);
    return 0;
}

static int parse_escape(struct parser *parser, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = NULL;

    if (take(parser, 'u'))
        return parse_unicode_escape(parser, out);
    if (parser->at < parser->end && *parser->at != '\0')
        letter = strchr(letters, *parser->at);
    if (letter == NULL)
        return fail_here(parser, "one of \"\\/bfnrtu behind a backslash");
    *(*out)++ = meanings[letter - letters];
    parser->at++;
    return 0;
}

static int parse_text(struct parser *parser, char **ret_text)
{
    char *text, *out;
    size_t room = 1; /* for the NUL */
    int r = 0;

    if (!take(parser, '"'))
        return fail_here(parser, "a text in double quotes");
    /* The bytes up to the closing quote are enough for what the escapes come to. */
    for (const char *end = parser->at; end < parser->end && *end != '"'; end++, room++) {
        if (*end == '\\' && end + 1 < parser->end) {
            end++;
            room++;
        }
    }
    text = out = malloc(room);
    if (text == NULL)
        return -ENOMEM;
    while (r == 0 && !take(parser, '"')) {
        if (parser->at >= parser->end || (uint8_t)*parser->at < 0x20)
            r = fail_here(parser, "the text's closing quote (control characters as \\u00XX)");
        else if (take(parser, '\\'))
            r = parse_escape(parser, &out);
        else
            *out++ = *parser->at++;
    }
    if (r == 0 && !wire_text_is_valid((struct wire_text){text, (size_t)(out - text)}))
        r = fail(parser, "a text that is not UTF-8, expected UTF-8");
    if (r != 0) {
        free(text);
        return r;
    }
    *out = '\0';
    *ret_text = text;
    return 0;
}

static size_t count_digits(struct parser *parser)
{
    size_t count = 0;

    for (; parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9'; count++)
        parser->at++;
    return count;
}

static int parse_number(struct parser *parser, struct config_json *node)
{
    const char *start = parser->at;

    node->type = CONFIG_JSON_NUMBER;
    (void)take(parser, '-');
    if (!take(parser, '0') && count_digits(parser) == 0)
        return fail_here(parser, "a value");
    if (take(parser, '.') && count_digits(parser) == 0)
        return fail_here(parser, "digits behind the point");
    if (take(parser, 'e') || take(parser, 'E')) {
        if (!take(parser, '+'))
            (void)take(parser, '-');
        if (count_digits(parser) == 0)
            return fail_here(parser, "digits of an exponent");
    }
    node->text = strndup(start, (size_t)(parser->at - start));
    return node->text == NULL ? -ENOMEM : 0;
}

/* @return NULL: no memory */
static struct config_json *add_child(struct parser *parser, struct config_json *parent)
{
    struct config_json *child = calloc(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    parser->nodes++;
    child->line = parser->line;
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
        return fail(parser, "more than %u entries, expected fewer", limit);
    if (parser->nodes >= CONFIG_JSON_NODES)
        return fail(parser, "more than %u values in all, expected fewer", CONFIG_JSON_NODES);
    child = add_child(parser, parent);
    if (child == NULL)
        return -ENOMEM;
    if (keyed)
        r = parse_text(parser, &child->key);
    if (r == 0 && keyed)
        r = skip_blank(parser);
    if (r == 0 && keyed && !take(parser, ':'))
        r = fail_here(parser, "`:` behind the key");
    if (r == 0 && keyed)
        r = skip_blank(parser);
    if (r == 0)
        r = parse_value(parser, child);
    if (r == 0)
        r = skip_blank(parser);
    return r;
}

/* A list or an object, behind its opening bracket. */
static int parse_members(struct parser *parser, struct config_json *node, char close)
{
    int r;

    if (++parser->depth > CONFIG_JSON_DEPTH)
        return fail(parser, "more than %u levels, expected fewer", CONFIG_JSON_DEPTH);
    r = skip_blank(parser);
    if (r != 0)
        return r;
    if (!take(parser, close)) {
        do {
            r = skip_blank(parser);
            if (r == 0)
                r = parse_member(parser, node);
            if (r != 0)
                return r;
        } while (take(parser, ','));
        if (!take(parser, close))
            return fail_here(parser, close == ']' ? "`,` or `]`" : "`,` or `}`");
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
        if (starts_with(parser, words[i].word)) {
            node->type = words[i].type;
            node->boolean = words[i].boolean;
            parser->at += strlen(words[i].word);
            return 0;
        }
    }
    return parse_number(parser, node);
}

static int parse_value(struct parser *parser, struct config_json *node)
{
    if (take(parser, '{')) {
        node->type = CONFIG_JSON_OBJECT;
        return parse_members(parser, node, '}');
    }
    if (take(parser, '[')) {
        node->type = CONFIG_JSON_LIST;
        return parse_members(parser, node, ']');
    }
    if (parser->at < parser->end && *parser->at == '"') {
        node->type = CONFIG_JSON_TEXT;
        return parse_text(parser, &node->text);
    }
    return parse_word(parser, node);
}

int config_json_parse(const char *text, size_t size, struct config_json_error *ret_error,
                      struct config_json **ret_root)
{
    struct parser parser = {.at = text, .end = text + size, .line = 1, .error = ret_error};
    struct config_json *root;
    int r;

    root = calloc(1, sizeof(*root));
    if (root == NULL)
        return -ENOMEM;
    if (starts_with(&parser, "\xEF\xBB\xBF"))
        parser.at += 3;
    r = skip_blank(&parser);
    root->line = parser.line;
    if (r == 0)
        r = parse_value(&parser, root);
    if (r == 0)
        r = skip_blank(&parser);
    if (r == 0 && parser.at < parser.end)
        r = fail_here(&parser, "nothing behind the end of the document");
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
