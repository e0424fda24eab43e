/* Makes the largest requests of a filesystem that its kernel makes: from memory that lies in huge
 * pages, so that what can be contiguous is. Says on stderr what failed, by errno.
 *
 *   requests copy buffered|direct|mapped BYTES FROM TO    by calls of so many bytes
 *   requests list BYTES FOLDER                            prints how many names it has
 *   requests write BYTES COUNT WRITERS FOLDER GO          so many writers at once, O_DIRECT, each a
 *                                                         file of its own, of its number's bytes;
 *                                                         says "open" when they have those, and
 *                                                         begins when the path GO is there */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

static char *buffer(size_t size)
{
    size_t whole = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    char *memory =
        mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        err(1, "mmap");
    memory += -(uintptr_t)memory % HUGE_PAGE;
    (void)madvise(memory, whole, MADV_HUGEPAGE);
    return memset(memory, 0, whole);
}

static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        err(1, "%s: open", path);
    return fd;
}

static size_t size_of(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        err(1, "fstat");
    return (size_t)status.st_size;
}

static void copy_by_calls(size_t bytes, int from, int to)
{
    char *memory = buffer(bytes);
    ssize_t got;

    while ((got = read(from, memory, bytes)) > 0) {
        ssize_t put = write(to, memory, (size_t)got);

        if (put < 0)
            err(1, "write");
        if (put != got)
            errx(1, "write: %zd of %zd bytes", put, got);
    }
    if (got < 0)
        err(1, "read");
}

static void copy_mapped(int from, int to)
{
    size_t size = size_of(from);
    char *source = mmap(NULL, size, PROT_READ, MAP_SHARED, from, 0);
    char *target;

    if (ftruncate(to, (off_t)size) < 0)
        err(1, "ftruncate");
    target = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
    if (source == MAP_FAILED || target == MAP_FAILED)
        err(1, "mmap");
    memcpy(target, source, size);
    if (msync(target, size, MS_SYNC) < 0)
        err(1, "msync");
}

static void copy(const char *way, size_t bytes, const char *source, const char *target)
{
    int flags = strcmp(way, "direct") == 0 ? O_DIRECT : 0;
    int from = opened(source, O_RDONLY | flags), to = opened(target, O_RDWR | O_CREAT | flags);

    (void)posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED);
    if (strcmp(way, "mapped") == 0)
        copy_mapped(from, to);
    else
        copy_by_calls(bytes, from, to);
    if (fsync(to) < 0)
        err(1, "fsync");
}

static void list(size_t bytes, const char *folder)
{
    int fd = opened(folder, O_RDONLY | O_DIRECTORY);
    char *memory = buffer(bytes);
    unsigned names = 0;
    long got;

    while ((got = syscall(SYS_getdents64, fd, memory, bytes)) > 0)
        for (long at = 0; at < got; names++) {
            unsigned short size;

            memcpy(&size, memory + at + 16, sizeof(size)); /* d_reclen */
            at += size;
        }
    if (got < 0)
        err(1, "getdents64");
    (void)printf("%u\n", names);
}

struct gate {
    int ready[2], start[2];
};

static void writer(size_t bytes, unsigned count, unsigned number, const struct gate *gate,
                   const char *folder)
{
    char path[4096], *memory = buffer(bytes);
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%u", folder, number);
    fd = opened(path, O_WRONLY | O_CREAT | O_DIRECT);
    memset(memory, (int)number, bytes);
    if (write(gate->ready[1], "", 1) != 1 || read(gate->start[0], path, 1) < 0)
        err(1, "%u: pipe", number);
    for (unsigned i = 0; i < count; i++)
        if (write(fd, memory, bytes) != (ssize_t)bytes)
            err(1, "%u: write", number);
    exit(0);
}

static int write_all(size_t bytes, unsigned count, unsigned writers, const char *folder,
                     const char *go)
{
    struct gate gate;
    int status, failed = 0;
    char byte;

    if (pipe(gate.ready) < 0 || pipe(gate.start) < 0)
        err(1, "pipe");
    for (unsigned number = 0; number < writers; number++) {
        pid_t child = fork();

        if (child < 0)
            err(1, "fork");
        if (child == 0) {
            (void)close(gate.start[1]);
            writer(bytes, count, number, &gate, folder);
        }
    }
    (void)close(gate.ready[1]);
    for (unsigned ready = 0; ready < writers && read(gate.ready[0], &byte, 1) == 1;)
        ready++;
    (void)puts("open");
    (void)fflush(stdout);
    while (access(go, F_OK) != 0)
        (void)usleep(10000);
    (void)close(gate.start[1]);
    while (wait(&status) > 0)
        failed += status != 0;
    return failed > 0;
}

static size_t number(const char *text)
{
    return strtoul(text, NULL, 0);
}

int main(int argc, char *argv[])
{
    if (argc == 6 && strcmp(argv[1], "copy") == 0)
        copy(argv[2], number(argv[3]), argv[4], argv[5]);
    else if (argc == 4 && strcmp(argv[1], "list") == 0)
        list(number(argv[2]), argv[3]);
    else if (argc == 7 && strcmp(argv[1], "write") == 0)
        return write_all(number(argv[2]), (unsigned)number(argv[3]), (unsigned)number(argv[4]),
                         argv[5], argv[6]);
    else
        return 2;
    return 0;
}
