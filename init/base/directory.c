/* directory: the names in a directory, read with the system call alone. */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

/* getdents64(2); the C library's dirent64 has the same head, but a name of fixed size. */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

static int open_at(int fd, const char *path, struct directory *ret_directory)
{
    ret_directory->size = ret_directory->at = 0;
    ret_directory->fd = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return ret_directory->fd < 0 ? -errno : 0;
}

int directory_open(const char *path, struct directory *ret_directory)
{
    return open_at(AT_FDCWD, path, ret_directory);
}

int directory_open_fd(int fd, struct directory *ret_directory)
{
    return open_at(fd, ".", ret_directory);
}

const char *directory_next(struct directory *directory)
{
    for (;;) {
        const struct entry *entry;

        if (directory->at == directory->size) {
            long n =
                syscall(SYS_getdents64, directory->fd, directory->data, sizeof(directory->data));

            if (n <= 0)
                return NULL;
            directory->size = (size_t)n;
            directory->at = 0;
        }
        entry = (const struct entry *)(const void *)(directory->data + directory->at);
        directory->at += entry->size;
        if (entry->name[0] != '.')
            return entry->name;
    }
}

void directory_close(struct directory *directory)
{
    directory->fd = fd_close(directory->fd);
}
