/* telemetry file: append, rotate, and mend what a full disk or a crash left half. */
#include "telemetry_file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void close_file(struct telemetry_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

int telemetry_file_init(struct telemetry_file *file, const char *path, uint64_t max_bytes,
                        unsigned keep)
{
    *file = (struct telemetry_file){.max_bytes = max_bytes, .keep = keep, .fd = -1};
    if (path != NULL) {
        file->path = strdup(path);
        if (file->path == NULL)
            return -ENOMEM;
    }
    return 0;
}

void telemetry_file_done(struct telemetry_file *file)
{
    close_file(file);
    free(file->path);
    *file = TELEMETRY_FILE_NULL;
}

/* O_NONBLOCK: a pipe that nobody reads must not hold the daemon up. O_RDWR: the last byte tells
 * whether the last line is whole. */
static int open_path(const char *path)
{
    static const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return open(path, flags | O_WRONLY, 0640);
    return open(path, flags | O_RDWR, 0640);
}

static void make_parent(const char *path)
{
    char *copy = strdup(path);

    if (copy != NULL)
        (void)mkdir(dirname(copy), 0755);
    free(copy);
}

int telemetry_file_open(struct telemetry_file *file)
{
    struct stat status;
    char last = '\n';
    int fd;

    if (file->path == NULL)
        return 0;
    close_file(file);
    fd = open_path(file->path);
    if (fd < 0 && errno == ENOENT) {
        make_parent(file->path);
        fd = open_path(file->path);
    }
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0) {
        int error = errno;

        (void)close(fd);
        return -error;
    }
    file->fd = fd;
    file->regular = S_ISREG(status.st_mode);
    file->size = file->regular ? (uint64_t)status.st_size : 0;
    if (file->size > 0)
        (void)!pread(fd, &last, 1, status.st_size - 1);
    file->torn = last != '\n';
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->lines = 0;
    return 0;
}

/* glibc's fstat() is newfstatat() of an empty path, which costs several times as much. */
static bool is_removed(int fd)
{
    struct stat open;

    return syscall(SYS_fstat, fd, &open) == 0 && open.st_nlink == 0;
}

static bool has_its_name(const struct telemetry_file *file)
{
    struct stat named;

    return stat(file->path, &named) == 0 && named.st_dev == file->device &&
           named.st_ino == file->inode;
}

enum telemetry_file_fate telemetry_file_look(struct telemetry_file *file)
{
    uint64_t now_us = clock_coarse_us();
    enum telemetry_file_fate fate = TELEMETRY_FILE_THERE;

    /* Of lines that come in one go, one looks. */
    if (file->fd < 0 || !file->regular || now_us == file->looked_us)
        return fate;
    file->looked_us = now_us;
    if (is_removed(file->fd)) {
        fate = TELEMETRY_FILE_GONE;
    } else if (now_us - file->named_us >= TELEMETRY_FILE_LOOK_MS * UINT64_C(1000)) {
        file->named_us = now_us;
        fate = has_its_name(file) ? TELEMETRY_FILE_THERE : TELEMETRY_FILE_MOVED;
    }
    if (fate != TELEMETRY_FILE_THERE)
        close_file(file);
    return fate;
}

/* Oldest first, so that each name is free when its predecessor moves there. */
static int shift_names(const struct telemetry_file *file)
{
    size_t capacity = strlen(file->path) + 16;
    char *from = malloc(capacity), *to = malloc(capacity);
    int r = from == NULL || to == NULL ? -ENOMEM : 0;

    for (unsigned i = file->keep; r == 0 && i > 0; i--) {
        (void)snprintf(to, capacity, "%s.%u", file->path, i);
        if (i == 1)
            (void)snprintf(from, capacity, "%s", file->path);
        else
            (void)snprintf(from, capacity, "%s.%u", file->path, i - 1);
        if (rename(from, to) < 0 && errno != ENOENT)
            r = -errno;
    }
    if (r == 0 && file->keep == 0 && unlink(file->path) < 0)
        r = -errno;
    free(from);
    free(to);
    return r;
}

/* Where the names cannot be moved, the old file goes on: too long is better than lost. */
static int rotate(struct telemetry_file *file)
{
    int r = shift_names(file);

    if (r < 0)
        return 0;
    return telemetry_file_open(file);
}

static ssize_t write_line(const struct telemetry_file *file, const char *line, size_t size)
{
    struct iovec parts[] = {{(void *)(uintptr_t) "\n", file->torn ? 1 : 0},
                            {(void *)(uintptr_t)line, size}};
    ssize_t n;

    do {
        n = file->torn ? writev(file->fd, parts, 2) : write(file->fd, line, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

int telemetry_file_append(struct telemetry_file *file, const char *line, size_t size)
{
    size_t wanted;
    ssize_t n;
    int r = 0;

    if (file->path == NULL)
        return 0;
    if (file->fd < 0)
        r = telemetry_file_open(file);
    else if (file->regular && file->size > 0 && file->size + size > file->max_bytes)
        r = rotate(file);
    if (r < 0)
        return r;

    wanted = size + (file->torn ? 1 : 0);
    n = write_line(file, line, size);
    if (n < 0)
        return -errno;
    if ((size_t)n == wanted) {
        file->torn = false;
        file->size += (uint64_t)n;
        file->lines++;
        return 0;
    }
    /* The disk filled up in the middle of the line: take the half back, or end it next time. */
    if (!file->regular || ftruncate(file->fd, (off_t)file->size) < 0) {
        file->torn = true;
        file->size += (uint64_t)n;
    }
    return -ENOSPC;
}
