/* virtiofsd program: where it is on this host. */
#include "virtiofsd_program.h"

#include "child.h"

#include <stddef.h>
#include <unistd.h>

const char *virtiofsd_program_find(const char *program, char buffer[LIMITS_PATH])
{
    /* Debian 13, Ubuntu 24.04, Fedora; Arch; Debian 12 (the C version of QEMU 7.2) */
    static const char *const usual[] = {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                                        "/usr/lib/qemu/virtiofsd"};

    if (program)
        return child_find_program(program, buffer, LIMITS_PATH) == 0 ? buffer : NULL;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (access(usual[i], X_OK) == 0)
            return usual[i];
    return child_find_program("virtiofsd", buffer, LIMITS_PATH) == 0 ? buffer : NULL;
}
