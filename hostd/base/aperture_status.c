/* aperture status: what a relay tells the daemon of its device's aperture, in a file. */
#include "aperture_status.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A word, a number of 20 digits, a reason, a line's end and a NUL. */
#define LINE_SIZE (APERTURE_REASON_SIZE + 32u)

static const struct {
    const char *name;
    bool has_bytes, has_reason;
} states[] = {
    [APERTURE_NONE] = {"none", false, true},         [APERTURE_NARROWED] = {"narrowed", true, true},
    [APERTURE_ENFORCED] = {"enforced", true, false}, [APERTURE_REFUSED] = {"refused", false, true},
    [APERTURE_WAITING] = {"waiting", true, false},
};

/* Of the answer's file, behind the status' own name. */
#define ANSWER ".ok"

/* 20 digits, a line's end and a NUL. */
#define NUMBER_SIZE 24u

#define STATES (sizeof(states) / sizeof(states[0]))

const char *aperture_state_name(enum aperture_state state)
{
    return states[state].name;
}

static int format(const struct aperture_status *status, char line[LINE_SIZE])
{
    char bytes[24] = "";

    if (states[status->state].has_bytes)
        (void)snprintf(bytes, sizeof(bytes), " %" PRIu64, status->bytes);
    return snprintf(line, LINE_SIZE, "%s%s%s%s\n", states[status->state].name, bytes,
                    states[status->state].has_reason ? " " : "",
                    states[status->state].has_reason ? status->reason : "");
}

/* As another file that takes its place. @return 0 or -errno */
static int write_line(const char *path, const char *line, int size)
{
    char new_path[PATH_MAX];
    int fd, r = 0;

    if ((size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path))
        return -ENAMETOOLONG;
    fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, line, (size_t)size) != size || rename(new_path, path) < 0) {
        r = errno ? -errno : -EIO;
        (void)unlink(new_path);
    }
    (void)close(fd);
    return r;
}

int aperture_status_write(const char *path, const struct aperture_status *status)
{
    char line[LINE_SIZE];

    return write_line(path, line, format(status, line));
}

/* Takes a line apart. @return 0 or -EBADMSG */
static int parse(char *line, struct aperture_status *status)
{
    char *rest = line, *word = strsep(&rest, " \n");
    size_t state = 0;

    while (state < STATES && strcmp(word, states[state].name) != 0)
        state++;
    if (state == STATES)
        return -EBADMSG;
    status->state = (enum aperture_state)state;
    status->bytes = 0;
    if (states[state].has_bytes && (word = strsep(&rest, " \n")))
        status->bytes = strtoull(word, NULL, 10);
    if (!states[state].has_reason)
        rest = NULL;
    if (rest)
        rest[strcspn(rest, "\n")] = '\0';
    (void)snprintf(status->reason, sizeof(status->reason), "%s", rest ? rest : "");
    for (const char *c = status->reason; *c; c++)
        if (!isprint((unsigned char)*c))
            return -EBADMSG;
    return 0;
}

/* @return how much it is, NUL-terminated in @p line, or -errno */
static ssize_t read_line(const char *path, char *line, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size;

    if (fd < 0)
        return -errno;
    size = read(fd, line, capacity - 1);
    if (size < 0)
        size = -errno;
    else
        line[size] = '\0';
    (void)close(fd);
    return size;
}

int aperture_status_read(const char *path, struct aperture_status *ret_status)
{
    char line[LINE_SIZE + 1], original[LINE_SIZE + 1], again[LINE_SIZE];
    struct aperture_status status;
    ssize_t size = read_line(path, line, sizeof(line));

    if (size < 0)
        return (int)size;
    memcpy(original, line, sizeof(original));
    /* What we would not write ourselves is none: one form for each meaning. */
    if (parse(line, &status) < 0 || format(&status, again) >= (int)sizeof(again) ||
        strcmp(again, original) != 0)
        return -EBADMSG;
    *ret_status = status;
    return 0;
}

static bool name_answer(const char *path, char name[PATH_MAX])
{
    return (size_t)snprintf(name, PATH_MAX, "%s" ANSWER, path) < PATH_MAX;
}

int aperture_status_confirm(const char *path, uint64_t number)
{
    char name[PATH_MAX], line[NUMBER_SIZE];

    if (!name_answer(path, name))
        return -ENAMETOOLONG;
    return write_line(name, line, snprintf(line, sizeof(line), "%" PRIu64 "\n", number));
}

bool aperture_status_is_confirmed(const char *path, uint64_t number)
{
    char name[PATH_MAX], line[NUMBER_SIZE + 1], wanted[NUMBER_SIZE];

    (void)snprintf(wanted, sizeof(wanted), "%" PRIu64 "\n", number);
    return name_answer(path, name) && read_line(name, line, sizeof(line)) > 0 &&
           strcmp(line, wanted) == 0;
}

void aperture_status_remove(const char *path)
{
    char name[PATH_MAX];

    (void)unlink(path);
    if (name_answer(path, name))
        (void)unlink(name);
}
