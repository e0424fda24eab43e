/* spy given: what can be had of the guest's memory by the descriptors that the program was given,
 * and by what it has mapped. */
#include "spy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  ((size_t)4096)
#define CHUNK ((size_t)1 << 20)
/* More than any guest of the lab has. */
#define MUCH ((size_t)4 << 30)
/* More of each than any program of the lab has. */
#define MAPPINGS 64u
#define FDS      4096

static size_t told; /* bytes of the guest's memory that the program has mapped */

struct mapping {
    char *start;
    size_t size;
    char name[64];
};

/* What is shared and has a file: the guest's memory. @return how many */
static size_t list_mappings(struct mapping ret_mappings[MAPPINGS])
{
    int fd = openat(spy.processes, "self/maps", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[512], mode[8], name[256];
    uintptr_t start, end;
    size_t count = 0;

    while (file && count < MAPPINGS && fgets(line, sizeof(line), file)) {
        name[0] = '\0';
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255s", &start, &end, mode,
                   name) < 3 ||
            mode[0] != 'r' || mode[3] != 's')
            continue;
        ret_mappings[count] = (struct mapping){.start = (char *)start, .size = end - start};
        (void)snprintf(ret_mappings[count++].name, sizeof(ret_mappings[0].name), "%.63s", name);
    }
    if (file)
        (void)fclose(file);
    return count;
}

/* Granted is what is more than the program was told to map. */
static void judge(const char *name, size_t bytes, int error)
{
    if (error == 0 && bytes <= told)
        error = -ERANGE;
    spy_attempt(name, error, "%zu KiB of it can be read, %zu KiB were told", bytes >> 10,
                told >> 10);
}

static void map(const char *name, int fd, size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    int error = memory == MAP_FAILED ? -errno : 0;
    size_t bytes = 0;

    if (error == 0) {
        bytes = spy_search(name, memory, size);
        (void)munmap(memory, size);
    }
    judge(name, bytes, error);
}

static void read_all(int fd)
{
    char *chunk = malloc(CHUNK);
    size_t bytes = 0;
    ssize_t n = 0;

    while (chunk && (n = pread(fd, chunk, CHUNK, (off_t)bytes)) > 0) {
        (void)spy_search("read", chunk, (size_t)n);
        bytes += (size_t)n;
    }
    judge("read", bytes, n < 0 ? -errno : 0);
    free(chunk);
}

/* A mapping of one page that grows. @param double_it  by the kernel's way to map the same twice */
static void grow(const char *name, int fd, size_t size, bool double_it)
{
    char *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), *more;
    size_t bytes = 0;
    int error;

    if (memory == MAP_FAILED) {
        judge(name, 0, -errno);
        return;
    }
    more = mremap(memory, double_it ? 0 : PAGE, size, MREMAP_MAYMOVE);
    error = more == MAP_FAILED ? -errno : 0;
    if (error == 0) {
        bytes = spy_search(name, more, size);
        (void)munmap(more, size);
    }
    if (error < 0 || double_it)
        (void)munmap(memory, PAGE);
    judge(name, bytes, error);
}

/* A mapping of one page that moves over its file, to its end and beyond. */
static void move(int fd)
{
    char *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    size_t bytes = 0;
    int error = 0;

    for (size_t at = 0; memory != MAP_FAILED && error == 0; at += PAGE) {
        error = remap_file_pages(memory, PAGE, 0, at / PAGE, 0) < 0 ? -errno : 0;
        if (error == 0 && spy_search("move", memory, PAGE) < PAGE)
            break;
        bytes += error == 0 ? PAGE : 0;
    }
    if (memory != MAP_FAILED)
        (void)munmap(memory, PAGE);
    judge("move", bytes, bytes > 0 ? 0 : error);
}

static void reopen(int fd, size_t size)
{
    char path[64];
    int again;

    (void)snprintf(path, sizeof(path), "self/fd/%d", fd);
    again = openat(spy.processes, path, O_RDWR | O_CLOEXEC);
    if (again < 0) {
        judge("reopen", 0, -errno);
        return;
    }
    map("reopen", again, size);
    (void)close(again);
}

/* A buffer of one's own, of the file from its beginning. */
static void make_buffer(int fd, size_t size)
{
    struct udmabuf_create order = {.memfd = (unsigned)fd, .size = size & ~(PAGE - 1)};
    int device = openat(spy.root, "dev/udmabuf", O_RDWR | O_CLOEXEC);
    int buffer = device < 0 ? -1 : ioctl(device, UDMABUF_CREATE, &order);

    if (buffer < 0) {
        judge("udmabuf", 0, -errno);
    } else {
        map("udmabuf", buffer, size);
        (void)close(buffer);
    }
    if (device >= 0)
        (void)close(device);
}

static void try_one(int fd, size_t size)
{
    map("whole", fd, size);
    map("beyond", fd, MUCH);
    read_all(fd);
    grow("grow", fd, size, false);
    grow("grow-beyond", fd, MUCH, false);
    grow("double", fd, size, true);
    move(fd);
    reopen(fd, size);
    make_buffer(fd, size);
}

/* The kernel's way to a mapping's file. */
static void try_map_files(const struct mapping *mapping)
{
    uintptr_t start = (uintptr_t)mapping->start;
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "self/map_files/%" PRIxPTR "-%" PRIxPTR, start,
                   start + mapping->size);
    fd = openat(spy.processes, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        judge("map-files", 0, -errno);
        return;
    }
    map("map-files", fd, (size_t)lseek(fd, 0, SEEK_END));
    (void)close(fd);
}

static void try_mappings(void)
{
    struct mapping mappings[MAPPINGS];
    size_t count = list_mappings(mappings);

    told = 0;
    for (size_t i = 0; i < count; i++)
        told += mappings[i].size;
    spy_say("told %zu\n", told);
    for (size_t i = 0; i < count; i++) {
        spy_say("mapped %s: %zu KiB\n", mappings[i].name, mappings[i].size >> 10);
        (void)spy_search("told", mappings[i].start, mappings[i].size);
        try_map_files(&mappings[i]);
    }
}

/* @return true: it is memory, and no other descriptor of it came before */
static bool is_new(int fd, ino_t inode, ino_t *seen, size_t *count)
{
    char path[64], name[128] = "";

    (void)snprintf(path, sizeof(path), "self/fd/%d", fd);
    if (readlinkat(spy.processes, path, name, sizeof(name) - 1) < 0 ||
        (strncmp(name, "/memfd:", 7) != 0 && strncmp(name, "/dmabuf:", 8) != 0))
        return false;
    for (size_t i = 0; i < *count; i++)
        if (seen[i] == inode)
            return false;
    if (*count == SPY_FDS)
        return false;
    seen[(*count)++] = inode;
    spy_say("has %s: %zu KiB\n", name, (size_t)lseek(fd, 0, SEEK_END) >> 10);
    return true;
}

/* A connection over which QEMU would take requests for its guest's memory. */
static void try_back_channel(void)
{
    struct stat info;
    size_t sockets = 0;

    for (size_t i = 0; i < spy.given_count; i++)
        sockets += fstat(spy.given[i], &info) == 0 && S_ISSOCK(info.st_mode);
    spy_attempt("back-channel", sockets > 0 ? 0 : -ENOTSOCK, "%zu of %zu descriptors are sockets",
                sockets, spy.given_count);
}

void spy_try_given(void)
{
    ino_t seen[SPY_FDS];
    size_t count = 0;
    struct stat info;

    try_mappings();
    try_back_channel();
    /* whether a message gave it, or not */
    for (int fd = 0; fd < FDS; fd++)
        if (fstat(fd, &info) == 0 && is_new(fd, info.st_ino, seen, &count))
            try_one(fd, (size_t)lseek(fd, 0, SEEK_END));
}
