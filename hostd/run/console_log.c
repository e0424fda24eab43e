/* console log: two files, the current one and the one before. */
#include "console_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* QEMU writes a byte or a few at a time; what a pipe holds is taken at once. */
#define CHUNK 65536u

static void report(struct console_log *log, const char *what, int error)
{
    if (log->lost == 0)
        fprintf(stderr,
                "cannot %s the console's log \"%s\": %s; dropping the guest's output until "
                "there is room; the guest keeps running\n",
                what, log->path, strerrordesc_np(error));
}

static bool open_file(struct console_log *log, int flags)
{
    struct stat status;

    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    if (log->fd < 0) {
        report(log, "open", errno);
        return false;
    }
    log->size = fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    return true;
}

/* Without a new name for it, the file itself starts over: the bound holds in any case. */
static bool rotate(struct console_log *log)
{
    bool renamed = rename(log->path, log->old) == 0;

    console_log_close(log);
    return open_file(log, renamed ? 0 : O_TRUNC);
}

/* @return what was written, of at most @p size bytes; 0: nothing, reported */
static size_t write_some(struct console_log *log, const char *data, size_t size)
{
    ssize_t n;

    if (log->fd < 0 && !open_file(log, 0))
        return 0;
    if (log->size >= log->limit && !rotate(log))
        return 0;
    if (size > log->limit - log->size)
        size = (size_t)(log->limit - log->size);
    do
        n = write(log->fd, data, size);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        report(log, "write", errno);
        return 0;
    }
    log->size += (uint64_t)n;
    return (size_t)n;
}

/* @return true if every lost byte is accounted for in the file */
static bool note_loss(struct console_log *log)
{
    char note[CONSOLE_LOG_NOTE];
    int size;

    if (log->lost == 0)
        return true;
    size = snprintf(note, sizeof(note), "\n[guestlink: %" PRIu64 " bytes are missing here]\n",
                    log->lost);
    if (write_some(log, note, (size_t)size) == 0)
        return false;
    log->lost = 0;
    return true;
}

int console_log_open(struct console_log *log, const char *path, uint64_t limit)
{
    *log = CONSOLE_LOG_NULL;
    if (limit < CONSOLE_LOG_NOTE)
        return -EINVAL;
    if (snprintf(log->old, sizeof(log->old), "%s.1", path) >= (int)sizeof(log->old))
        return -ENAMETOOLONG;
    log->path = path;
    log->limit = limit;
    (void)open_file(log, 0);
    return 0;
}

void console_log_write(struct console_log *log, const char *data, size_t size)
{
    size_t n = 1;

    if (note_loss(log)) {
        for (; size > 0 && n > 0; data += n, size -= n)
            n = write_some(log, data, size);
    }
    log->lost += size;
}

void console_log_close(struct console_log *log)
{
    if (log->fd >= 0)
        (void)close(log->fd);
    log->fd = -1;
}

void console_log_copy(struct console_log *log, int from)
{
    static char data[CHUNK];
    ssize_t n;

    while ((n = read(from, data, sizeof(data))) != 0) {
        if (n > 0)
            console_log_write(log, data, (size_t)n);
        else if (errno != EINTR)
            break;
    }
}
