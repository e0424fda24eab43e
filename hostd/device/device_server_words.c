/* device_server words: what the relay is told of the process that it starts. */
#include "device_server_words.h"

#include "base/fd.h"
#include "base/program.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Without it files that are mounted in a share by themselves may have each other's numbers. */
#define MOUNTED_FILES "guestlink-mounted-files.so"

static const char *access_of(const struct device_server_spec *spec,
                             const struct virtiofsd_command *command)
{
    if (spec->passt)
        return "ro";
    if (!command->place[0])
        return "none";
    return spec->read_only ? "ro" : "rw";
}

int device_server_words_write(const struct device_server_files *files,
                              const struct device_server_spec *spec, const char *program,
                              const struct virtiofsd_command *command)
{
    const char *const *argv = spec->passt ? spec->passt : command->argv;
    char buffer[LIMITS_PATH];
    const char *library = spec->passt ? NULL : program_find_own(MOUNTED_FILES, buffer);
    FD fd = memfd_create("guestlink-virtiofs-relay", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%s%c%s%c%s%c%s%c%s%c%s%c%s%c%s%c", files->inner, 0, files->ended, 0,
                files->aperture, 0, spec->options, 0, config_aperture_names[spec->aperture], 0,
                command->place[0] && !spec->passt ? spec->path : "", 0, command->place, 0,
                access_of(spec, command), 0) < 0)
        return -errno;
    if (dprintf(fd, "%s%c%s%c%s%c", command->handles && !spec->passt ? "handles" : "", 0,
                library ? library : "", 0, program, 0) < 0)
        return -errno;
    for (size_t i = 0; argv[i]; i++)
        if (dprintf(fd, "%s%c", argv[i], 0) < 0)
            return -errno;
    (void)lseek(fd, 0, SEEK_SET);
    return fd_take(&fd);
}
