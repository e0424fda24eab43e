/*
 * modules: loads the modules of a list into the kernel.
 */
#ifndef GUESTLINK_INIT_MODULES_H
#define GUESTLINK_INIT_MODULES_H

#include <stdbool.h>
#include <sys/types.h>

#include "cmdline.h"
#include "module_list.h"

#define MODULES_LIST_PATH "/etc/guestlink/modules"

/* How far those are that the handshake does not need. */
struct modules_late {
    pid_t loader; /* the job that loads them; 0: it has ended */
    char
        failed[INIT_TEXT_SIZE]; /* the end of a message: "; modules that could not …: a b", or "" */
};

/*
 * Reads the image's list and applies guestlink.modules= to it. No list: nothing is wanted. What is
 * wrong with it is logged.
 */
void modules_read(struct module_list *list, const struct cmdline *cmdline);

/*
 * Loads the wanted modules of one phase, in order; blocks. A module that cannot be loaded is a
 * warning, and those that depend on it are tried all the same: it may be built in.
 *
 * @param late      false: what the handshake needs; true: the rest
 * @param failures  of @p size bytes, or NULL: gets the names that failed, with blanks between
 */
void modules_load(struct module_list *list, bool late, char *failures, size_t size);

/* True if the module is wanted, its file is there and it has not failed. */
bool modules_has(struct module_list *list, const char *name);

#endif
