/*
 * directory: the names in a directory, without allocating: for PID 1's own loop. Children may use
 * opendir(3).
 */
#ifndef GUESTLINK_INIT_DIRECTORY_H
#define GUESTLINK_INIT_DIRECTORY_H

#include <stddef.h>

struct directory {
    int fd;
    size_t size; /* what getdents64(2) put into data */
    size_t at;   /* the next entry */
    _Alignas(8) char data[2048];
};

#define DIRECTORY_CLOSE __attribute__((cleanup(directory_close)))

/* @return 0, or a negative errno, and @p ret_directory is then safe to close */
int directory_open(const char *path, struct directory *ret_directory);

/* @return the next name that does not begin with a dot, valid until the next call; NULL: no more */
const char *directory_next(struct directory *directory);

/* As directory_open(), of the directory itself that @p fd is of. */
int directory_open_fd(int fd, struct directory *ret_directory);

void directory_close(struct directory *directory);

#endif
