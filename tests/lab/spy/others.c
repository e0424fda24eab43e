/* spy others: what can be had of other processes, which hold the guest's memory, and of the host.
 */
#include "spy.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define CHUNK ((size_t)1 << 20)
#define FDS   256

struct other {
    pid_t pid;
    const char *role;
};

static void say(const char *what, const struct other *other, int error, const char *detail)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s-of-%s", what, other->role);
    spy_attempt(name, error, "process %d%s", (int)other->pid, detail);
}

static int open_of(const struct other *other, const char *what, int flags)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%d/%s", (int)other->pid, what);
    return openat(spy.processes, path, flags | O_CLOEXEC);
}

/* The largest mapping of what is shared: of QEMU, the guest's memory. @return its size, or 0 */
static size_t find_memory(const struct other *other, uintptr_t *ret_start)
{
    int fd = open_of(other, "maps", O_RDONLY);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[512], mode[8];
    size_t size = 0;

    while (file && fgets(line, sizeof(line), file)) {
        unsigned long start, end;

        if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3 || end - start <= size ||
            mode[0] != 'r')
            continue;
        *ret_start = start;
        size = end - start;
    }
    if (file)
        (void)fclose(file);
    return size;
}

static void read_memory(const struct other *other)
{
    uintptr_t start = 0;
    size_t size = find_memory(other, &start), done = 0;
    int fd = open_of(other, "mem", O_RDONLY), error = fd < 0 ? -errno : 0;
    char *chunk = malloc(CHUNK);
    ssize_t n = 0;

    while (chunk && error == 0 && done < size &&
           (n = pread(fd, chunk, CHUNK, (off_t)(start + done))) > 0) {
        (void)spy_search("mem", chunk, (size_t)n);
        done += (size_t)n;
    }
    if (error == 0 && done == 0)
        error = n < 0 ? -errno : -ENODATA;
    say("mem", other, error, "");
    if (fd >= 0)
        (void)close(fd);
    free(chunk);
}

static void read_by_call(const struct other *other)
{
    uintptr_t start = 0;
    char page[4096];
    struct iovec here = {page, sizeof(page)}, there = {0};
    int error = 0;

    if (find_memory(other, &start) == 0)
        start = sizeof(page); /* there may be something; what counts is the kernel's answer */
    there = (struct iovec){(void *)start, sizeof(page)};
    if (process_vm_readv(other->pid, &here, 1, &there, 1, 0) < 0)
        error = -errno;
    say("process-vm-readv", other, error, "");
}

/* @return true if it is memory: then it is searched */
static bool search_fd(const char *name, int fd)
{
    struct stat info;
    void *memory;

    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0)
        return false;
    memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return false;
    (void)spy_search(name, memory, (size_t)info.st_size);
    (void)munmap(memory, (size_t)info.st_size);
    return true;
}

static void open_files(const struct other *other)
{
    char what[32], detail[64];
    int error = -ENOENT;
    size_t memories = 0;

    for (int i = 0; i < FDS; i++) {
        int fd;

        (void)snprintf(what, sizeof(what), "fd/%d", i);
        /* what is open there may be a pipe, whose other end would wait */
        fd = open_of(other, what, O_RDWR | O_NONBLOCK);
        if (fd < 0) {
            error = error < 0 && errno != ENOENT ? -errno : error;
            continue;
        }
        error = 0;
        memories += search_fd("fd", fd);
        (void)close(fd);
    }
    (void)snprintf(detail, sizeof(detail), ", %zu of memory", memories);
    say("fd", other, error, detail);
}

static void take_files(const struct other *other, int pidfd)
{
    int error = pidfd < 0 ? -errno : -EBADF;
    char detail[64];
    size_t memories = 0;

    for (int i = 0; pidfd >= 0 && i < FDS; i++) {
        int fd = pidfd_getfd(pidfd, i, 0);

        if (fd < 0) {
            error = error < 0 && errno != EBADF ? -errno : error;
            continue;
        }
        error = 0;
        memories += search_fd("pidfd-getfd", fd);
        (void)close(fd);
    }
    (void)snprintf(detail, sizeof(detail), ", %zu of memory", memories);
    say("pidfd-getfd", other, error, detail);
}

static void trace(const struct other *other)
{
    int error = ptrace(PTRACE_SEIZE, other->pid, NULL, NULL) < 0 ? -errno : 0;

    if (error == 0) {
        (void)ptrace(PTRACE_INTERRUPT, other->pid, NULL, NULL);
        (void)usleep(10000);
        (void)ptrace(PTRACE_DETACH, other->pid, NULL, NULL);
    }
    say("ptrace", other, error, "");
}

static void try_process(const struct other *other)
{
    int pidfd = pidfd_open(other->pid, 0);

    read_memory(other);
    read_by_call(other);
    open_files(other);
    take_files(other, pidfd);
    trace(other);
    if (pidfd >= 0)
        (void)close(pidfd);
}

/* @return whose memory is worth reading, or NULL */
static const char *role_of(pid_t pid)
{
    static const char *const roles[][2] = {
        {"qemu-system", "QEMU"}, {"guestlink-virti", "relay"}, {"guestlink-hostd", "daemon"}};
    char name[64] = "";
    struct other other = {.pid = pid};
    int fd = open_of(&other, "comm", O_RDONLY);

    if (fd < 0)
        return NULL;
    (void)!read(fd, name, sizeof(name) - 1);
    (void)close(fd);
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strncmp(name, roles[i][0], strlen(roles[i][0])) == 0)
            return roles[i][1];
    return NULL;
}

static void try_processes(void)
{
    int fd = openat(spy.processes, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    size_t seen = 0, holders = 0;

    for (const struct dirent *entry; directory && (entry = readdir(directory));) {
        struct other other = {.pid = (pid_t)strtol(entry->d_name, NULL, 10)};

        if (!isdigit((unsigned char)entry->d_name[0]) || other.pid == getpid())
            continue;
        seen++;
        other.role = role_of(other.pid);
        if (!other.role)
            continue;
        holders++;
        try_process(&other);
    }
    spy_attempt("processes", seen > 0 ? 0 : -ESRCH, "%zu others, %zu hold the guest's memory", seen,
                holders);
    if (directory)
        (void)closedir(directory);
}

/* The kernel tells who is at the other end, whatever namespace that one is in. */
static void try_peer(void)
{
    struct other peer = {.role = "peer"};
    socklen_t size = sizeof(int);
    int pidfd = -1;

    if (spy.socket < 0)
        return;
    if (getsockopt(spy.socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
        pidfd = -1;
    take_files(&peer, pidfd);
    if (pidfd >= 0)
        (void)close(pidfd);
}

static void try_file(const char *name, const char *path)
{
    int fd = openat(spy.root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    spy_attempt(name, fd < 0 ? -errno : 0, "%s", path);
    if (fd >= 0)
        (void)close(fd);
}

/* A device node, where one can be made. */
static void try_node(const char *name, unsigned minor)
{
    int error = mknodat(spy.folder, name, S_IFCHR | 0600, makedev(1, minor)) < 0 ? -errno : 0;
    int fd = openat(spy.folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

    if (error == 0 && fd < 0)
        error = -errno;
    spy_attempt(name, error, "character device 1:%u", minor);
    if (fd >= 0)
        (void)close(fd);
    (void)unlinkat(spy.folder, name, 0);
}

void spy_try_others(void)
{
    try_processes();
    try_peer();
    try_file("dev-mem", "dev/mem");
    try_file("dev-udmabuf", "dev/udmabuf");
    try_file("kcore", "proc/kcore");
    try_node("spy-made-mem", 1);
}
