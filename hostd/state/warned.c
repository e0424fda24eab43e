/* warned: the kernel releases that a VM's operator was warned about, so that each is told once. */
#include "warned.h"

#include "base/json.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

bool warned_note(struct warned *warned, const char *release)
{
    char *copy;

    for (unsigned i = 0; i < warned->count; i++) {
        if (strcmp(warned->releases[i], release) == 0)
            return false;
    }
    if (!warned->releases)
        warned->releases = calloc(LIMITS_WARNED_RELEASES, sizeof(char *));
    copy = strdup(release);
    if (!warned->releases || !copy) {
        free(copy);
        return true;
    }
    if (warned->count == LIMITS_WARNED_RELEASES) {
        free(warned->releases[0]);
        memmove(warned->releases, warned->releases + 1, (warned->count - 1) * sizeof(char *));
        warned->count--;
    }
    warned->releases[warned->count++] = copy;
    return true;
}

void warned_done(struct warned *warned)
{
    for (unsigned i = 0; i < warned->count; i++)
        free(warned->releases[i]);
    free(warned->releases);
    *warned = (struct warned){0};
}

struct json_object *warned_to_json(const struct warned *warned)
{
    struct json_object *array = json_object_new_array();

    for (unsigned i = 0; array && i < warned->count; i++)
        (void)json_object_array_add(array, json_object_new_string(warned->releases[i]));
    return array;
}

void warned_from_json(struct warned *warned, struct json_object *array)
{
    for (size_t i = 0; i < json_count(array) && i < LIMITS_WARNED_RELEASES; i++) {
        struct json_object *release = json_element(array, i);

        if (json_object_is_type(release, json_type_string))
            (void)warned_note(warned, json_object_get_string(release));
    }
}
