/* program: where programs are on this host. */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* @return 0; -EISDIR, where execve(2) says EACCES; or -errno */
static int check(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) ? -EISDIR : -EACCES;
    return access(path, X_OK) < 0 ? -errno : 0;
}

int program_find(const char *name, char *buffer, size_t capacity)
{
    const char *path = getenv("PATH");
    int r = -ENOENT;

    if (strchr(name, '/')) {
        if ((size_t)snprintf(buffer, capacity, "%s", name) >= capacity)
            return -ENAMETOOLONG;
        return check(name);
    }
    if (!path)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (*path) {
        size_t length = strcspn(path, ":");
        int n = snprintf(buffer, capacity, "%.*s/%s", (int)length, path, name);

        if (n > 0 && (size_t)n < capacity && length > 0) {
            int error = check(buffer);

            if (error == 0)
                return 0;
            if (error == -EACCES)
                r = error;
        }
        path += length + (path[length] == ':');
    }
    return r;
}

const char *program_find_own(const char *name, char buffer[LIMITS_PATH])
{
    char self[LIMITS_PATH];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
    const char *slash = size > 0 ? memrchr(self, '/', (size_t)size) : NULL;

    if (slash && (size_t)snprintf(buffer, LIMITS_PATH, "%.*s/%s", (int)(slash - self), self, name) <
                     LIMITS_PATH) {
        if (access(buffer, R_OK) == 0)
            return buffer;
    }
    if ((size_t)snprintf(buffer, LIMITS_PATH, GUESTLINK_LIBEXECDIR "/%s", name) < LIMITS_PATH &&
        access(buffer, R_OK) == 0)
        return buffer;
    return program_find(name, buffer, LIMITS_PATH) == 0 ? buffer : NULL;
}

bool program_knows(const char *program, const char *text)
{
    int fd = open(program, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool found = false;
    void *words = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        words = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (words != MAP_FAILED) {
        found = memmem(words, (size_t)status.st_size, text, strlen(text)) != NULL;
        (void)munmap(words, (size_t)status.st_size);
    }
    if (fd >= 0)
        (void)close(fd);
    return found;
}

const char *program_find_virtiofsd(const char *program, char buffer[LIMITS_PATH])
{
    /* Debian 13, Ubuntu 24.04, Fedora; Arch; Debian 12 (the C version of QEMU 7.2) */
    static const char *const usual[] = {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                                        "/usr/lib/qemu/virtiofsd"};

    if (program)
        return program_find(program, buffer, LIMITS_PATH) == 0 ? buffer : NULL;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (check(usual[i]) == 0)
            return usual[i];
    return program_find("virtiofsd", buffer, LIMITS_PATH) == 0 ? buffer : NULL;
}

int program_find_passt(const char *program, char ret_buffer[LIMITS_PATH])
{
    (void)snprintf(ret_buffer, LIMITS_PATH, "%s", program ? program : "passt");
    if (program_find(program ? program : "passt", ret_buffer, LIMITS_PATH) < 0)
        return -ENOENT;
    if (!program_knows(ret_buffer, ELFMAG))
        return -ENOEXEC;
    return program_knows(ret_buffer, "vhost-user") ? 0 : -EOPNOTSUPP;
}
