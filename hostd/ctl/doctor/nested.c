/* doctor, its part that looks at shares whose targets lie in each other, and at what was lost: a
 * mount, or the folder behind one. */
#include "command.h"
#include "doctor.h"

#include <string.h>

static bool is_in_use(struct json_object *share)
{
    return strcmp(command_text(share, "state"), "in-use") == 0;
}

/* The daemon gives targets without a `/` at the end. */
static bool lies_in(struct json_object *inner, struct json_object *outer)
{
    const char *target = command_text(outer, "target");
    size_t size = strlen(target);

    return strncmp(command_text(inner, "target"), target, size) == 0 &&
           command_text(inner, "target")[size] == '/';
}

/* @return the share right around @p inner, NULL: none */
static struct json_object *find_outer(struct json_object *shares, struct json_object *inner)
{
    struct json_object *found = NULL;

    for (size_t i = 0; i < json_count(shares); i++) {
        struct json_object *outer = json_element(shares, i);

        if (lies_in(inner, outer) && (found == NULL || lies_in(outer, found)))
            found = outer;
    }
    return found;
}

static void tell_nested(struct doctor *doctor, const struct config_vm *vm,
                        struct json_object *inner, struct json_object *outer)
{
    const char *tag = command_text(inner, "tag"), *around = command_text(outer, "tag");

    if (is_in_use(inner) && is_in_use(outer))
        doctor_find(doctor, DOCTOR_RIGHT, "nested", vm->name, "",
                    "share %s is mounted at %s, in share %s", tag, command_text(inner, "target"),
                    around);
    else if (is_in_use(inner))
        doctor_find(doctor, DOCTOR_NOTE, "nested", vm->name,
                    "fix what is wrong with the outer share, then run `guestlinkctl reload`",
                    "share %s is mounted at %s, but share %s around it is not (%s)", tag,
                    command_text(inner, "target"), around, command_text(outer, "state"));
    else
        doctor_find(doctor, DOCTOR_NOTE, "nested", vm->name,
                    "run `guestlinkctl doctor` again; a share waits for the one around it",
                    "share %s, in share %s (%s), is not mounted (%s)", tag, around,
                    command_text(outer, "state"), command_text(inner, "state"));
}

void doctor_look_at_nested(struct doctor *doctor, const struct config_vm *vm,
                           struct json_object *view)
{
    struct json_object *shares = json_member(view, "shares");

    for (size_t i = 0; i < json_count(shares); i++) {
        struct json_object *share = json_element(shares, i), *outer = find_outer(shares, share);
        const char *state = command_text(share, "state"), *error = command_text(share, "error");

        if (outer != NULL)
            tell_nested(doctor, vm, share, outer);
        if (error[0] != '\0' && is_in_use(share))
            doctor_find(doctor, DOCTOR_WRONG, "folder", vm->name,
                        "remove the share and add it again, or run `guestlinkctl reload` after "
                        "removing it if the configuration has it",
                        "share %s: %s: %s", command_text(share, "tag"), command_text(share, "path"),
                        error);
        if (error[0] != '\0' && !is_in_use(share) && strcmp(state, "failed") != 0)
            doctor_find(doctor, DOCTOR_WRONG, "lost", vm->name,
                        "wait until the share is mounted again; if it is not, read the daemon's "
                        "log",
                        "share %s was lost: %s", command_text(share, "tag"), error);
    }
}
