/*
 * config json: text to a tree that knows the line of everything in it.
 *
 * JSON (RFC 8259) and comments, as `//` to the end of the line or between slash-stars. json-c is
 * not used here because its objects do not know where in the file they stood, and take more than
 * JSON.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_JSON_H
#define GUESTLINK_HOSTD_CONFIG_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Our deepest key is vms[0].network[0].routes[0].to: 7 levels. */
#define CONFIG_JSON_DEPTH 16u
/* No object of ours has more than 30 keys; a list of VMs is the longest list. */
#define CONFIG_JSON_KEYS  256u
#define CONFIG_JSON_ITEMS 65536u
/* What 16 MiB of `[[],[],…` would make of memory is bounded by this. */
#define CONFIG_JSON_NODES 1000000u

enum config_json_type {
    CONFIG_JSON_NULL,
    CONFIG_JSON_BOOL,
    CONFIG_JSON_NUMBER,
    CONFIG_JSON_TEXT,
    CONFIG_JSON_LIST,
    CONFIG_JSON_OBJECT,
};

struct config_json {
    enum config_json_type type;
    unsigned line; /* where the value begins, or its key in an object; from 1 */
    bool boolean;
    size_t index; /* in its list or object, from 0 */
    size_t end;   /* offset in the text just behind the value; 0 for the root */
    size_t count; /* of children */
    char *key;    /* in an object, else NULL */
    char *text;   /* TEXT: the value, UTF-8 without NUL; NUMBER: as it is written */
    const struct config_json *parent;
    struct config_json *first, *last; /* children, in the file's order */
    struct config_json *next;         /* sibling */
};

struct config_json_error {
    unsigned line;
    char text[160]; /* what was found and what was expected */
};

/*
 * Parses a whole document.
 *
 * @param ret_error  set if 1 is returned
 * @param ret_root   for config_json_free()
 * @return 0, 1 if it is not JSON, or -ENOMEM
 */
int config_json_parse(const char *text, size_t size, struct config_json_error *ret_error,
                      struct config_json **ret_root);

/* Frees a node with its children; NULL is fine. @return NULL */
struct config_json *config_json_free(struct config_json *node);

/* The first child of that key, or NULL. */
const struct config_json *config_json_find(const struct config_json *object, const char *key);

/* "a list", "text", …: what a person calls the type. Static. */
const char *config_json_type_text(enum config_json_type type);

#endif
