/*
 * children: the daemon and QEMU of a run, what they say, and the end of all that came of them.
 */
#ifndef GUESTLINK_ONCE_CHILDREN_H
#define GUESTLINK_ONCE_CHILDREN_H

#include "plan.h"
#include "run/console_log.h"

#include <stdbool.h>

struct children {
    int qemu, daemon; /* pidfds */
    int console, log; /* what to read when something is there: the guest's console; the daemon's and
                         QEMU's standard error */
    char console_path[FOLDER_SIZE + 16], log_path[FOLDER_SIZE + 16];
    struct console_log console_file, log_file;
    bool verbose; /* both go to standard error as well */
};

#define CHILDREN_NULL                                                                              \
    ((struct children){.qemu = -1,                                                                 \
                       .daemon = -1,                                                               \
                       .console = -1,                                                              \
                       .log = -1,                                                                  \
                       .console_file = CONSOLE_LOG_NULL,                                           \
                       .log_file = CONSOLE_LOG_NULL})

/*
 * Writes the daemon's configuration and starts both, with listening sockets that exist already.
 *
 * @return 0; or -errno after an explanation on stderr
 */
int children_start(const struct plan *plan, struct children *children);

/* Take what was said. @return false: that is all, its writers are gone */
bool children_take_console(struct children *children);
bool children_take_log(struct children *children);

/* Kills every child of this process and all that those leave behind, and waits for it. */
void children_end(struct children *children);

#endif
