/* shares played: mounts of devices that a test has not. */
#include "shares_played.h"

#include "place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

struct shares_played shares_played;

static const char *const types[] = {"virtiofs", "9p", "ext4", "xfs", "btrfs"};

void shares_played_clear(void)
{
    memset(&shares_played, 0, sizeof(shares_played));
}

static bool is_played(const char *type)
{
    for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* A path of a descriptor's is where that leads. */
static void note_target(const char *target, char *noted, size_t size)
{
    ssize_t n = strncmp(target, "/proc/", 6) == 0 ? readlink(target, noted, size - 1) : -1;

    if (n >= 0)
        noted[n] = '\0';
    else
        (void)snprintf(noted, size, "%s", target);
}

int __real_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    struct shares_played *played = &shares_played;
    char shown[400];

    if (flags & MS_REMOUNT) {
        played->remount_flags = flags;
        note_target(target, played->remounted, sizeof(played->remounted));
    }
    if (!is_played(type))
        return __real_mount(source, target, type, flags, data);
    (void)snprintf(played->source, sizeof(played->source), "%s", source);
    (void)snprintf(played->type, sizeof(played->type), "%s", type);
    (void)snprintf(played->data, sizeof(played->data), "%s", data ? (const char *)data : "-");
    note_target(target, played->target, sizeof(played->target));
    played->flags = flags;
    assert_in_range(played->count, 0, 7);
    errno = played->errors[played->count++];
    if (errno != 0)
        return -1;
    (void)snprintf(shown, sizeof(shown), "%s:%s", type, source);
    assert_int_equal(__real_mount(shown, target, "tmpfs", flags & ~(unsigned long)MS_RDONLY, NULL),
                     0);
    if (played->fill)
        played->fill(played->target);
    assert_int_equal(__real_mount(NULL, played->target, NULL, flags | MS_REMOUNT, NULL), 0);
    errno = EXDEV; /* of a success it says nothing */
    return 0;
}

/* "… - tmpfs TYPE:SOURCE …" is "… - TYPE SOURCE …". */
static void show(char *line)
{
    char *type = strstr(line, " - tmpfs ");
    size_t size;

    if (!type)
        return;
    type += strlen(" - ");
    size = strcspn(type + strlen("tmpfs "), ": \n");
    if (type[strlen("tmpfs ") + size] != ':')
        return;
    memmove(type, type + strlen("tmpfs "), strlen(type + strlen("tmpfs ")) + 1);
    type[size] = ' ';
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    FILE *table, *shown;
    char line[8192];

    if (strcmp(path, "/proc/self/mountinfo") != 0)
        return __real_fopen(path, mode);
    table = __real_fopen(path, mode);
    shown = fdopen(memfd_create("shown", MFD_CLOEXEC), "w+");
    assert_non_null(table);
    assert_non_null(shown);
    while (fgets(line, sizeof(line), table)) {
        show(line);
        (void)fputs(line, shown);
    }
    (void)fclose(table);
    rewind(shown);
    return shown;
}

void shares_played_mount(const char *type, const char *source, const char *target)
{
    char shown[400];

    place_folder(target);
    (void)snprintf(shown, sizeof(shown), "%s:%s", type, source);
    if (__real_mount(shown, target, "tmpfs", 0, NULL) < 0)
        fail_msg("cannot mount on %s: %s", target, strerror(errno));
}
