/* config serving: how a share's virtiofsd is to serve it. */
#include "serving.h"

#include "base/program.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const config_cache_names[] = {"auto", "always", "never", NULL};

/* @return false: no number below 2^32 */
static bool read_number(const char **cursor, uint32_t *ret_number)
{
    char *end;
    unsigned long long number;

    if (!isdigit((unsigned char)**cursor))
        return false;
    errno = 0;
    number = strtoull(*cursor, &end, 10);
    *cursor = end;
    if (errno != 0 || number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* (uid_t)-1 is nobody's: to chown(2) it says that nothing changes. */
static bool fits(uint32_t first, uint32_t count)
{
    return (uint64_t)first + count <= UINT32_MAX;
}

bool config_id_range_read(const char *text, struct config_id_range *ret_range)
{
    struct config_id_range range;

    if (!read_number(&text, &range.guest) || *text++ != ':' || !read_number(&text, &range.host) ||
        *text++ != ':' || !read_number(&text, &range.count) || *text != '\0' || range.count == 0 ||
        !fits(range.guest, range.count) || !fits(range.host, range.count))
        return false;
    *ret_range = range;
    return true;
}

__attribute__((format(printf, 2, 3))) static void append(char *buffer, const char *format, ...)
{
    size_t used = strlen(buffer);
    va_list arguments;

    if (used > 0 && used + 1 < CONFIG_SERVING_SIZE)
        memcpy(buffer + used++, ",", 2);
    va_start(arguments, format);
    (void)vsnprintf(buffer + used, CONFIG_SERVING_SIZE - used, format, arguments);
    va_end(arguments);
}

static void append_map(char *buffer, const char *name, const struct config_id_map *map)
{
    for (unsigned i = 0; i < map->count; i++)
        append(buffer, "%s=%" PRIu32 ":%" PRIu32 ":%" PRIu32, name, map->ranges[i].guest,
               map->ranges[i].host, map->ranges[i].count);
}

const char *config_serving_format(const struct config_serving *serving,
                                  char buffer[CONFIG_SERVING_SIZE])
{
    buffer[0] = '\0';
    if (serving->xattr)
        append(buffer, "xattr");
    if (serving->posix_acl)
        append(buffer, "posix_acl");
    if (serving->unannounced)
        append(buffer, "unannounced");
    if (serving->file_handles)
        append(buffer, "file_handles");
    if (serving->cache != CONFIG_CACHE_AUTO)
        append(buffer, "cache=%s", config_cache_names[serving->cache]);
    append_map(buffer, "uid", &serving->map_uid);
    append_map(buffer, "gid", &serving->map_gid);
    return buffer;
}

bool config_serving_equal(const struct config_serving *a, const struct config_serving *b)
{
    char texts[2][CONFIG_SERVING_SIZE];

    return strcmp(config_serving_format(a, texts[0]), config_serving_format(b, texts[1])) == 0;
}

const char *config_serving_needs_virtiofs(const struct config_serving *serving)
{
    if (serving->map_uid.count > 0)
        return "map_uid";
    if (serving->map_gid.count > 0)
        return "map_gid";
    if (serving->posix_acl)
        return "posix_acl";
    return serving->xattr ? "xattr" : NULL;
}

const char *config_serving_obstacle(const struct config_serving *serving, const char *program,
                                    const char **ret_remark)
{
    bool maps = serving->map_uid.count > 0 || serving->map_gid.count > 0;
    bool script = !program_knows(program, ELFMAG);

    *ret_remark = "";
    if (maps && !program_knows(program, "translate-uid"))
        return "this virtiofsd cannot map user and group IDs, as map_uid or map_gid requires "
               "(install virtiofsd 1.13 or later, the one in Rust, and name it in "
               "\"device_host\": {\"virtiofsd\": PATH}; guestlink-hostd does not query a script)";
    if (maps && serving->posix_acl)
        return "virtiofsd cannot map IDs, as map_uid or map_gid requires, if the guest has "
               "ACLs, as posix_acl requires (remove one of them)";
    if (serving->posix_acl && !program_knows(program, "posix_acl") &&
        !program_knows(program, "posix-acl"))
        return "this virtiofsd does not support ACLs, which posix_acl requires (install a newer "
               "one)";
    if (serving->xattr && !program_knows(program, "xattr"))
        return "this virtiofsd does not support extended attributes, which xattr requires "
               "(install a newer one)";
    if (serving->file_handles && !program_knows(program, "inode-file-handles"))
        *ret_remark = "this virtiofsd does not support file handles, which file_handles "
                      "requires: virtiofsd keeps a descriptor open for each file that the guest "
                      "knows (install virtiofsd 1.13 or later, the one in Rust)";
    else if (!serving->unannounced && !script && !program_knows(program, "announce"))
        *ret_remark = "this virtiofsd cannot report mount points to the guest: files of "
                      "different file systems may have the same number there (install a newer "
                      "one, or share each file system separately)";
    return NULL;
}
