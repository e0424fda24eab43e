/* virtiofsd command: which programs serve a virtiofs share, and with what words. */
#include "virtiofsd_command.h"

#include "base/child.h"
#include "base/program.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define RELAY "guestlink-virtiofs-relay"

#define SOCKET_OPTION "--fd=3"

/* A guest's files need neither: its device nodes would be the host's devices, and extended
 * attributes, file capabilities among them, are not served. */
#define NO_CAPABILITIES "modcaps=-mknod:-setfcap"

/* The share in the jail: nothing else is below this. */
#define PLACE "/share"

/* In the jail, instead of a sandbox of its own, and with the limit of open files that the relay has
 * set. */
#define JAIL_SANDBOX "sandbox=chroot"
#define JAIL_LIMIT   "--rlimit-nofile=0"

/* What QEMU's virtiofsd says of its sandboxes; of the Rust version every one has them. */
#define OWN_SANDBOX "sandbox=namespace|chroot"

/* Handles would need CAP_DAC_READ_SEARCH, with which open_by_handle_at(2) opens any file of the
 * share's filesystem, inside of the share or not. */
#define NO_HANDLES "inode-file-handles=never"

/* The C version's option parser takes a comma for the next option unless it is escaped. */
static int format_source(const char *path, char *buffer, size_t capacity)
{
    size_t used = (size_t)snprintf(buffer, capacity, "source=");

    for (; *path; path++) {
        if (used + 3 > capacity)
            return -ENAMETOOLONG;
        if (*path == ',' || *path == '\\')
            buffer[used++] = '\\';
        buffer[used++] = *path;
    }
    buffer[used] = '\0';
    return 0;
}

const char *virtiofsd_command_find_relay(char buffer[LIMITS_PATH])
{
    return program_find_own(RELAY, buffer);
}

/* A script cannot run in the jail: the program alone is in there, with its libraries. A program
 * that cannot do without some capability (modcaps) would not begin. */
static bool fits_jail(const char *program, bool rust)
{
    return program_knows(program, ELFMAG) &&
           (rust ? program_knows(program, "modcaps") && program_knows(program, "rlimit-nofile")
                 : program_knows(program, OWN_SANDBOX));
}

/* @return how many words were added */
static size_t add_rust_words(const char *program, const char *path, bool jailed, const char **argv)
{
    size_t count = 0;

    argv[count++] = "--shared-dir";
    argv[count++] = path;
    if (program_knows(program, "modcaps"))
        argv[count++] = "--" NO_CAPABILITIES;
    if (program_knows(program, "inode-file-handles"))
        argv[count++] = "--" NO_HANDLES;
    if (jailed)
        argv[count++] = "--" JAIL_SANDBOX;
    return count;
}

/* @return how many words were added */
static size_t add_c_words(const char *program, const char *source, bool jailed, const char **argv)
{
    size_t count = 0;

    argv[count++] = "-o";
    argv[count++] = source;
    if (program_knows(program, "modcaps")) {
        argv[count++] = "-o";
        argv[count++] = NO_CAPABILITIES;
    }
    if (jailed) {
        argv[count++] = "-o";
        argv[count++] = JAIL_SANDBOX;
    }
    return count;
}

int virtiofsd_command_make(const char *program, const char *path, bool jail,
                           struct virtiofsd_command *ret_command)
{
    const char **argv = ret_command->argv;
    size_t count = 0;
    bool rust;

    program = program_find_virtiofsd(program, ret_command->program);
    if (!program)
        return -ENOENT;
    /* The Rust version names the directory with --shared-dir, the C version with -o source=. A
     * wrapper script has none of them and gets -o source= alone, which both understand. */
    rust = program_knows(program, "shared-dir");
    jail = jail && fits_jail(program, rust);
    ret_command->place[0] = '\0';
    if (jail) {
        if ((size_t)snprintf(ret_command->place, sizeof(ret_command->place), PLACE "%s", path) >=
            sizeof(ret_command->place))
            return -ENAMETOOLONG;
        path = ret_command->place;
    }
    argv[count++] = program;
    argv[count++] = SOCKET_OPTION;
    count += rust ? add_rust_words(program, path, jail, argv + count)
                  : add_c_words(program, ret_command->source, jail, argv + count);
    if (jail)
        argv[count++] = JAIL_LIMIT;
    argv[count] = NULL;
    return rust ? 0 : format_source(path, ret_command->source, sizeof(ret_command->source));
}
