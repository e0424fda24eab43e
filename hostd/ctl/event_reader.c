/*
 * event reader: one file at a time. At its end the reader looks where the file is now: if rotation
 * moved it to FILE.N, what comes next is FILE.(N-1), or FILE if N is 1.
 */
#include "event_reader.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many rotated files as a configuration may keep. */
#define ROTATED_MAX 100u
/* Where inotify tells nothing (network filesystems), the file is looked at this often. */
#define LOOK_MS 1000

struct event_reader {
    char *path;
    bool follow, gap;
    int fd, notify;
    char *data;
    size_t begin, end; /* of what is read and not yet taken */
    bool skipping;     /* in a line that is too long */
};

/* @param number  0: the newest. @return the descriptor, or -errno */
static int open_number(const struct event_reader *reader, unsigned number)
{
    char path[4200];
    int fd;

    if (number == 0)
        (void)snprintf(path, sizeof(path), "%s", reader->path);
    else
        (void)snprintf(path, sizeof(path), "%s.%u", reader->path, number);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

/* @param since  NULL: nothing is older. @return true if the file was last written to before that */
static bool is_older(int fd, const struct timespec *since)
{
    struct stat status;

    return since != NULL && fstat(fd, &status) == 0 &&
           (status.st_mtim.tv_sec != since->tv_sec ? status.st_mtim.tv_sec < since->tv_sec
                                                   : status.st_mtim.tv_nsec < since->tv_nsec);
}

/* The oldest of an unbroken row FILE, FILE.1, …; holes end it, and so does a rotated file that was
 * last written to before @p since (NULL: none does). */
static int open_oldest(struct event_reader *reader, const struct timespec *since)
{
    int fd = open_number(reader, 0), older;

    for (unsigned i = 1; fd != -EACCES && i <= ROTATED_MAX; i++) {
        older = open_number(reader, i);
        if (older < 0 || is_older(older, since)) {
            fd_close(&older);
            break;
        }
        if (fd >= 0)
            (void)close(fd);
        fd = older;
    }
    return fd;
}

static bool same_file(int a, int b)
{
    struct stat left, right;

    return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* @return the number of the file that is open, -1 if it has no name any more */
static int find_number(const struct event_reader *reader)
{
    for (unsigned i = 0; i <= ROTATED_MAX; i++) {
        FD fd = open_number(reader, i);

        if (fd >= 0 && same_file(fd, reader->fd))
            return (int)i;
        if (fd < 0 && i > 0)
            break;
    }
    return -1;
}

/* Somebody cut the file (logrotate's copytruncate): what is in it now is new. */
static void mend_position(struct event_reader *reader)
{
    struct stat status;
    off_t at = lseek(reader->fd, 0, SEEK_CUR);

    if (at > 0 && fstat(reader->fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size < at) {
        (void)lseek(reader->fd, 0, SEEK_SET);
        reader->begin = reader->end = 0;
    }
}

/* @return 1 if bytes came, 0 at the end of this file, -errno */
static int fill(struct event_reader *reader)
{
    ssize_t n;

    if (reader->fd < 0)
        return 0;
    mend_position(reader);
    do {
        n = read(reader->fd, reader->data + reader->end, EVENT_READER_LINE_BYTES - reader->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    reader->end += (size_t)n;
    return n > 0;
}

/* @param number  as find_number() says it. @return the descriptor, or -errno */
static int open_successor(struct event_reader *reader, int number)
{
    struct stat status = {0};

    if (number > 0)
        return open_number(reader, (unsigned)number - 1);
    if (fstat(reader->fd, &status) == 0 && status.st_nlink > 0)
        return open_number(reader, 0); /* logrotate gave it another kind of name */
    reader->gap = true;
    return open_oldest(reader, &status.st_mtim); /* what is older was read before it */
}

/*
 * Goes on to the file behind the one that is read to its end.
 *
 * @return 1 if there is one, 0 if this is the newest, -errno
 */
static int open_next(struct event_reader *reader)
{
    int number, fd, r;

    if (reader->fd < 0) {
        fd = open_oldest(reader, NULL);
        if (fd < 0)
            return reader->follow && fd == -ENOENT ? 0 : fd;
        reader->fd = fd;
        return 1;
    }
    for (;;) {
        number = find_number(reader);
        if (number == 0)
            return 0;
        /* It may have grown between its end and the rotation. */
        r = fill(reader);
        if (r != 0)
            return r;
        fd = open_successor(reader, number);
        if (fd == -ENOENT)
            return 0; /* in the middle of a rotation: the new one is about to come */
        if (fd < 0)
            return fd;
        /* Was there another rotation in between? Then that file was not the next one. */
        if (number < 0 || find_number(reader) == number)
            break;
        (void)close(fd);
    }
    fd_close(&reader->fd);
    reader->fd = fd;
    reader->begin = reader->end = 0;
    return 1;
}

static int watch_directory(struct event_reader *reader)
{
    char *copy = strdup(reader->path);
    int r = 0;

    if (copy == NULL)
        return -ENOMEM;
    reader->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (reader->notify < 0 ||
        inotify_add_watch(reader->notify, dirname(copy),
                          IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE) < 0)
        r = -errno;
    free(copy);
    return r;
}

int event_reader_new(const char *path, bool follow, struct event_reader **ret_reader)
{
    struct event_reader *reader = calloc(1, sizeof(*reader));
    int r = -ENOMEM;

    if (reader == NULL)
        return -ENOMEM;
    reader->fd = reader->notify = -1;
    reader->follow = follow;
    reader->path = strdup(path);
    reader->data = malloc(EVENT_READER_LINE_BYTES + 1);
    if (reader->path != NULL && reader->data != NULL)
        r = follow ? watch_directory(reader) : 0;
    if (r == 0)
        r = open_next(reader);
    if (r < 0) {
        (void)event_reader_free(reader);
        return r;
    }
    *ret_reader = reader;
    return 0;
}

struct event_reader *event_reader_free(struct event_reader *reader)
{
    if (reader == NULL)
        return NULL;
    fd_close(&reader->fd);
    fd_close(&reader->notify);
    free(reader->path);
    free(reader->data);
    free(reader);
    return NULL;
}

/* @return the line, or NULL if there is no whole one in the buffer */
static char *take_line(struct event_reader *reader)
{
    char *line = reader->data + reader->begin;
    char *newline = memchr(line, '\n', reader->end - reader->begin);

    if (newline == NULL) {
        memmove(reader->data, line, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
        if (reader->end == EVENT_READER_LINE_BYTES) {
            reader->skipping = true;
            reader->end = 0;
        }
        return NULL;
    }
    *newline = '\0';
    reader->begin = (size_t)(newline + 1 - reader->data);
    return line;
}

static void wait_for_change(struct event_reader *reader)
{
    struct pollfd poller = {.fd = reader->notify, .events = POLLIN};
    char events[4096];

    (void)fflush(stdout);
    (void)poll(&poller, 1, LOOK_MS);
    while (read(reader->notify, events, sizeof(events)) > 0)
        ;
}

int event_reader_next(struct event_reader *reader, char **ret_line)
{
    int r;

    for (;;) {
        char *line = take_line(reader);

        if (line != NULL && reader->skipping) {
            reader->skipping = false;
            continue;
        }
        if (line != NULL) {
            *ret_line = line;
            return 1;
        }
        r = fill(reader);
        if (r == 0) {
            r = open_next(reader);
            if (r == 0 && !reader->follow)
                return 0;
            if (r == 0)
                wait_for_change(reader);
        }
        if (r < 0)
            return r;
    }
}

bool event_reader_take_gap(struct event_reader *reader)
{
    bool gap = reader->gap;

    reader->gap = false;
    return gap;
}
