/* mountinfo: the kernel's table of mounts. */
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool mountinfo_take_field(const char **cursor, char *field, size_t capacity)
{
    const char *p = *cursor;
    size_t size = 0;

    while (*p != ' ' && *p != '\n' && *p != '\0') {
        char c = *p++;

        if (c == '\\' && p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' &&
            p[2] <= '7') {
            c = (char)((p[0] - '0') * 64 + (p[1] - '0') * 8 + (p[2] - '0'));
            p += 3;
        }
        if (size == capacity - 1)
            return false;
        field[size++] = c;
    }
    field[size] = '\0';
    *cursor = p + (*p == ' ');
    return size > 0;
}

static bool begins_with_ro(const char *options)
{
    return strncmp(options, "ro", 2) == 0 && (options[2] == ',' || options[2] == '\0');
}

int mountinfo_parse(const char *line, struct mountinfo *ret)
{
    struct mountinfo mount = {0};
    char skipped[4096];
    const char *cursor = line;

    for (int i = 0; i < 4; i++) /* ids, device, root */
        if (!mountinfo_take_field(&cursor, skipped, sizeof(skipped)))
            return -EINVAL;
    if (!mountinfo_take_field(&cursor, mount.target, sizeof(mount.target)) ||
        !mountinfo_take_field(&cursor, mount.options, sizeof(mount.options)))
        return -EINVAL;
    do { /* optional fields end with a dash */
        if (!mountinfo_take_field(&cursor, skipped, sizeof(skipped)))
            return -EINVAL;
    } while (strcmp(skipped, "-") != 0);
    if (!mountinfo_take_field(&cursor, mount.type, sizeof(mount.type)))
        return -EINVAL;
    (void)mountinfo_take_field(&cursor, mount.source, sizeof(mount.source));
    /* The kernel puts ro or rw first, of the mount and of the filesystem. */
    mount.read_only =
        begins_with_ro(mount.options) ||
        (mountinfo_take_field(&cursor, skipped, sizeof(skipped)) && begins_with_ro(skipped));
    *ret = mount;
    return 0;
}

bool mountinfo_is_share(const struct mountinfo *mount)
{
    return strcmp(mount->type, "virtiofs") == 0 || strcmp(mount->type, "9p") == 0;
}

bool mountinfo_is_submount(const struct mountinfo *mount)
{
    return strcmp(mount->type, "virtiofs") == 0 && strcmp(mount->source, "none") == 0;
}

int mountinfo_walk(bool (*each)(const struct mountinfo *mount, void *context), void *context)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    struct mountinfo mount;
    char line[8192];
    bool more = true;

    if (!file)
        return -errno;
    while (more && fgets(line, sizeof(line), file))
        if (mountinfo_parse(line, &mount) == 0)
            more = each(&mount, context);
    (void)fclose(file);
    return 0;
}

bool mountinfo_is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

struct search {
    const char *target;
    struct mountinfo *ret;
    int found;
};

static bool compare(const struct mountinfo *mount, void *context)
{
    struct search *search = context;

    if (strcmp(mount->target, search->target) == 0) {
        *search->ret = *mount;
        search->found = 1;
    }
    return true;
}

int mountinfo_find(const char *target, struct mountinfo *ret)
{
    struct search search = {.target = target, .ret = ret};
    int r = mountinfo_walk(compare, &search);

    return r < 0 ? r : search.found;
}

static bool compare_below(const struct mountinfo *mount, void *context)
{
    struct search *search = context;

    if (mountinfo_is_share(mount) && !mountinfo_is_submount(mount) &&
        mountinfo_is_below(mount->target, search->target)) {
        *search->ret = *mount;
        search->found = 1;
    }
    return true;
}

int mountinfo_find_share_below(const char *target, struct mountinfo *ret)
{
    struct search search = {.target = target, .ret = ret};
    int r = mountinfo_walk(compare_below, &search);

    return r < 0 ? r : search.found;
}
