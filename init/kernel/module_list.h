/*
 * module_list: which kernel modules the image wants loaded, in which order.
 *
 * The text of /etc/guestlink/modules, one module a line in dependency order: `PATH [DEP...]`; PATH
 * is absolute, DEPs are names of earlier lines. A line `-` ends what the handshake needs. `#`
 * begins a comment.
 */
#ifndef GUESTLINK_INIT_MODULE_LIST_H
#define GUESTLINK_INIT_MODULE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define MODULE_NAME_SIZE 56u /* MODULE_NAME_LEN of the kernel: 64 - sizeof(long) */

struct module {
    const char *path;            /* into the list's text */
    const char *dependencies;    /* names with blanks between, into the list's text */
    char name[MODULE_NAME_SIZE]; /* file name without .ko…, `-` as `_` */
    bool late;                   /* loaded after the handshake */
    bool wanted;
    bool failed;
};

struct module_list {
    char text[INIT_MODULE_LIST_SIZE]; /* cut into strings by module_list_parse() */
    struct module modules[INIT_MODULES];
    size_t count;
};

enum {
    MODULE_LIST_E_LINE = 1, /* a line that is neither a module nor a comment; it is left out */
    MODULE_LIST_E_FULL,     /* more than INIT_MODULES; the rest is left out */
};

/*
 * Cuts list->text, a NUL-terminated text, into modules, all of them wanted.
 *
 * @param ret_line  the first bad line, from 1
 * @return 0, MODULE_LIST_E_LINE or MODULE_LIST_E_FULL
 */
int module_list_parse(struct module_list *list, unsigned *ret_line);

/*
 * Wants only the modules named in @p names (with `,` between) and what they depend on.
 *
 * @param ret_missing  of MODULE_NAME_SIZE bytes: the first name that is not in the list, or ""
 */
void module_list_choose(struct module_list *list, const char *names, char *ret_missing);

/* The module of that name (`-` and `_` are the same), or NULL. */
struct module *module_list_find(struct module_list *list, const char *name, size_t size);

#endif
