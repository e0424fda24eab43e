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

/* A guest's files need neither: its device nodes would be the host's devices, and of extended
 * attributes it may have any but file capabilities. */
#define NO_CAPABILITIES "modcaps=-mknod:-setfcap"

/* The share in the jail: nothing else is below this. */
#define PLACE "/share"

/* In the jail, instead of its own sandbox, and with the limit of open files that the relay has
 * set. */
#define JAIL_SANDBOX "sandbox=chroot"
#define JAIL_LIMIT   "--rlimit-nofile=0"

/* What QEMU's virtiofsd says of its sandboxes; of the Rust version every one has them. */
#define OWN_SANDBOX "sandbox=namespace|chroot"

/* Handles need CAP_DAC_READ_SEARCH, with which open_by_handle_at(2) opens any file of the share's
 * filesystem, inside of the share or not: only where the operator wants them. */
#define NO_HANDLES           "inode-file-handles=never"
#define HANDLES              "inode-file-handles=prefer"
#define HANDLES_CAPABILITIES NO_CAPABILITIES ":+dac_read_search"

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

/* The words so far. */
struct words {
    const char **argv;
    size_t count;
};

static void add(struct words *words, const char *word)
{
    words->argv[words->count++] = word;
}

static void add_map(struct words *words, const struct config_id_map *map, const char *option,
                    char buffers[CONFIG_ID_RANGES][VIRTIOFSD_COMMAND_MAP_SIZE])
{
    for (unsigned i = 0; i < map->count; i++) {
        (void)snprintf(buffers[i], VIRTIOFSD_COMMAND_MAP_SIZE, "%s=map:%u:%u:%u", option,
                       map->ranges[i].guest, map->ranges[i].host, map->ranges[i].count);
        add(words, buffers[i]);
    }
}

static void add_rust_words(struct words *words, const struct virtiofsd_share *share,
                           const char *path, struct virtiofsd_command *command)
{
    static const char *const caches[] = {NULL, "--cache=always", "--cache=never"};
    const struct config_serving *serving = share->serving;
    const char *program = words->argv[0];
    bool knows = program_knows(program, "inode-file-handles");

    command->handles = knows && serving->file_handles;
    add(words, "--shared-dir");
    add(words, path);
    if (program_knows(program, "modcaps"))
        add(words, command->handles ? "--" HANDLES_CAPABILITIES : "--" NO_CAPABILITIES);
    if (knows)
        add(words, command->handles ? "--" HANDLES : "--" NO_HANDLES);
    if (command->place[0])
        add(words, "--" JAIL_SANDBOX);
    command->keeps_read_only = share->read_only && program_knows(program, "readonly");
    if (command->keeps_read_only)
        add(words, "--readonly");
    if (serving->xattr || serving->posix_acl)
        add(words, "--xattr");
    if (serving->posix_acl)
        add(words, "--posix-acl");
    if (serving->unannounced)
        add(words, "--no-announce-submounts");
    if (caches[serving->cache])
        add(words, caches[serving->cache]);
    add_map(words, &serving->map_uid, "--translate-uid", command->maps);
    add_map(words, &serving->map_gid, "--translate-gid", command->maps + CONFIG_ID_RANGES);
}

static void add_option(struct words *words, const char *option)
{
    add(words, "-o");
    add(words, option);
}

static void add_c_words(struct words *words, const struct virtiofsd_share *share,
                        const struct virtiofsd_command *command)
{
    static const char *const caches[] = {NULL, "cache=always", "cache=none"};
    const struct config_serving *serving = share->serving;
    const char *program = words->argv[0];

    add_option(words, command->source);
    if (program_knows(program, "modcaps"))
        add_option(words, NO_CAPABILITIES);
    if (command->place[0])
        add_option(words, JAIL_SANDBOX);
    if (serving->xattr || serving->posix_acl)
        add_option(words, "xattr");
    if (serving->posix_acl)
        add_option(words, "posix_acl");
    if (!serving->unannounced && program_knows(program, "announce_submounts"))
        add_option(words, "announce_submounts");
    if (caches[serving->cache])
        add_option(words, caches[serving->cache]);
}

int virtiofsd_command_make(const char *program, const struct virtiofsd_share *share, bool jail,
                           struct virtiofsd_command *ret_command)
{
    struct words words = {.argv = ret_command->argv};
    const char *path = share->path;
    bool rust;

    program = program_find_virtiofsd(program, ret_command->program);
    if (!program)
        return -ENOENT;
    /* The Rust version names the directory with --shared-dir, the C version with -o source=. A
     * wrapper script has none of them and gets -o source= alone, which both understand. */
    rust = program_knows(program, "shared-dir");
    jail = jail && fits_jail(program, rust);
    ret_command->handles = ret_command->keeps_read_only = false;
    ret_command->place[0] = '\0';
    if (jail) {
        if ((size_t)snprintf(ret_command->place, sizeof(ret_command->place), PLACE "%s", path) >=
            sizeof(ret_command->place))
            return -ENAMETOOLONG;
        path = ret_command->place;
    }
    add(&words, program);
    add(&words, SOCKET_OPTION);
    if (rust)
        add_rust_words(&words, share, path, ret_command);
    else
        add_c_words(&words, share, ret_command);
    if (jail)
        add(&words, JAIL_LIMIT);
    add(&words, NULL);
    return rust ? 0 : format_source(path, ret_command->source, sizeof(ret_command->source));
}
