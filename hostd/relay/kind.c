/* kind: what the relay must know of the program behind it. */
#include "kind.h"

#include "../base/jail.h"

#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

static const struct kind kinds[] = {
    {
        .name = "virtiofsd",
        /* What the ownership of files needs, and, until it has begun, what it takes to shut itself
         * in and to give up the rest. */
        .capabilities = JAIL_CAPABILITY(CAP_CHOWN) | JAIL_CAPABILITY(CAP_DAC_OVERRIDE) |
                        JAIL_CAPABILITY(CAP_FOWNER) | JAIL_CAPABILITY(CAP_FSETID) |
                        JAIL_CAPABILITY(CAP_SETUID) | JAIL_CAPABILITY(CAP_SETGID) |
                        JAIL_CAPABILITY(CAP_SYS_CHROOT) | JAIL_CAPABILITY(CAP_SETPCAP),
    },
    {
        .name = "passt",
        .connected = true,
        .revives = true,
        .network = true,
        /* To become the user that it is told to be. */
        .capabilities = JAIL_CAPABILITY(CAP_SETUID) | JAIL_CAPABILITY(CAP_SETGID),
    },
};

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
