/*
 * warned: the kernel releases that a VM's operator was warned about, so that each is told once.
 */
#ifndef GUESTLINK_HOSTD_WARNED_H
#define GUESTLINK_HOSTD_WARNED_H

#include <json-c/json.h>
#include <stdbool.h>

struct warned {
    char **releases; /* room for LIMITS_WARNED_RELEASES, or NULL */
    unsigned count;
};

/*
 * Notes a warning.
 *
 * @param release  of the kernel, with what else makes the warning another one
 * @return true if this one is new; false if it was told before
 */
bool warned_note(struct warned *warned, const char *release);

void warned_done(struct warned *warned);

/* To and from the store: an array of strings. */
struct json_object *warned_to_json(const struct warned *warned);
void warned_from_json(struct warned *warned, struct json_object *array);

#endif
