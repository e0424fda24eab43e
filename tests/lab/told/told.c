/*
 * told: writes down each memory table that a virtiofsd is told.
 *
 * A library that a copy of a real virtiofsd is linked with (aperture_life.py). It sees what comes
 * on virtiofsd's connection, changes nothing, and appends a line for each SET_MEM_TABLE to TOLD_LOG
 * in the share's folder, in hexadecimal:
 *
 *   PID GUEST_ADDRESS SIZE [GUEST_ADDRESS SIZE]...
 *
 * The virtiofsd in C takes a message's header with recvmsg(2) and the rest with read(2), the one in
 * Rust both with recvmsg(2).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOLD_LOG      "told.log"
#define HEADER_SIZE   12u
#define SET_MEM_TABLE 5u
#define REGIONS_MAX   8u

struct table {
    uint32_t count, padding;
    struct {
        uint64_t guest_address, size, user_address, offset;
    } regions[REGIONS_MAX];
};

static int told = -1;

/* Of the message that is being read: of one connection, by one thread. */
static struct {
    int fd; /* -1: it is no table */
    size_t size, had;
    union {
        struct table table;
        char bytes[sizeof(struct table)];
    } payload;
} now = {.fd = -1};

static void tell(const struct table *table)
{
    char line[512];
    int size = snprintf(line, sizeof(line), "%d", (int)getpid());

    for (uint32_t i = 0; i < table->count && i < REGIONS_MAX; i++)
        size += snprintf(line + size, sizeof(line) - (size_t)size, " %llx %llx",
                         (unsigned long long)table->regions[i].guest_address,
                         (unsigned long long)table->regions[i].size);
    line[size++] = '\n';
    (void)!write(told, line, (size_t)size);
}

static void take(int fd, const char *data, size_t size)
{
    if (fd != now.fd)
        return;
    if (size > now.size - now.had)
        size = now.size - now.had;
    memcpy(now.payload.bytes + now.had, data, size);
    now.had += size;
    if (now.had < now.size)
        return;
    now.fd = -1;
    tell(&now.payload.table);
}

static void take_header(int fd, const char *data)
{
    uint32_t header[3];

    memcpy(header, data, sizeof(header));
    if (header[0] != SET_MEM_TABLE || header[2] > sizeof(now.payload))
        return;
    now.fd = fd;
    now.size = header[2];
    now.had = 0;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t (*real)(int, struct msghdr *, int) =
        (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
    ssize_t n = real(fd, message, flags);
    size_t left = n > 0 ? (size_t)n : 0;
    bool begins = fd != now.fd;

    for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
        const char *data = message->msg_iov[i].iov_base;
        size_t size = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;

        left -= size;
        if (begins && i == 0 && size >= HEADER_SIZE) {
            take_header(fd, data);
            data += HEADER_SIZE;
            size -= HEADER_SIZE;
        }
        take(fd, data, size);
    }
    return n;
}

ssize_t read(int fd, void *data, size_t size)
{
    ssize_t (*real)(int, void *, size_t) =
        (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    ssize_t n = real(fd, data, size);

    if (n > 0)
        take(fd, data, (size_t)n);
    return n;
}

/* "-o source=FOLDER" or "--shared-dir FOLDER". */
__attribute__((constructor)) static void begin(int argc, char *argv[])
{
    char path[4096];

    for (int i = 1; i + 1 < argc; i++) {
        const char *folder = strcmp(argv[i], "--shared-dir") == 0      ? argv[i + 1]
                             : strncmp(argv[i + 1], "source=", 7) == 0 ? argv[i + 1] + 7
                                                                       : NULL;

        if (!folder)
            continue;
        (void)snprintf(path, sizeof(path), "%s/" TOLD_LOG, folder);
        told = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        return;
    }
}
