/* qemu version: which QEMU it is, as its QMP socket's greeting says. */
#include "qemu_version.h"

#include "json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX 9999

static int64_t number_of(struct json_object *version, const char *key)
{
    struct json_object *number = json_member(version, key);

    return json_object_is_type(number, json_type_int) ? json_object_get_int64(number) : -1;
}

void qemu_version_read(struct json_object *greeting, char ret_version[QEMU_VERSION_SIZE])
{
    struct json_object *version =
        json_member(json_member(json_member(greeting, "QMP"), "version"), "qemu");
    int64_t major = number_of(version, "major"), minor = number_of(version, "minor");

    ret_version[0] = '\0';
    if (major > 0 && major <= NUMBER_MAX && minor >= 0 && minor <= NUMBER_MAX)
        (void)snprintf(ret_version, QEMU_VERSION_SIZE, "%d.%d", (int)major, (int)minor);
}

bool qemu_version_takes_passt(const char *version)
{
    return strtoul(version, NULL, 10) >= QEMU_VERSION_FOR_PASST;
}
