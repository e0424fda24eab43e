/*
 * plan: one run, as hostd.json and as QEMU's command line.
 */
#ifndef GUESTLINK_ONCE_PLAN_H
#define GUESTLINK_ONCE_PLAN_H

#include "folder.h"
#include "kernel.h"
#include "request.h"
#include "words.h"

#include <json-c/json.h>

/* The VM's name, to the daemon and in the guest. */
#define PLAN_VM "guestlink"

/* Where the guest has the root of --root, until a command enters it. */
#define PLAN_ROOT "/newroot"

/* QEMU's descriptor for what the guest writes on its console. */
#define PLAN_CONSOLE_FD 3

struct plan {
    const struct request *request;
    const struct kernel *kernel;
    char folder[FOLDER_SIZE];
    char image[LIMITS_PATH];
};

/* @return the daemon's configuration, the caller's; NULL: no memory */
struct json_object *plan_make_config(const struct plan *plan);

/*
 * @param words  gets QEMU's command line
 * @return 0; or -EINVAL after an explanation on stderr: the daemon would refuse that configuration
 */
int plan_make_qemu(const struct plan *plan, struct json_object *config, struct words *words);

/* Writes both to stdout: the configuration, with QEMU's command line as comments behind it. */
void plan_print(struct json_object *config, const struct words *qemu);

#endif
