/*
 * fd: owned file descriptors, and small files read or written whole.
 */
#ifndef GUESTLINK_INIT_FD_H
#define GUESTLINK_INIT_FD_H

#include <stddef.h>

/* A file descriptor that is closed at the end of its scope; -1 is the empty value. */
#define FD_CLOSE __attribute__((cleanup(fd_closep)))

void fd_closep(int *fd);

/* Closes @p fd unless it is -1. @return -1, to be assigned to the owner */
int fd_close(int fd);

/* Moves ownership out of @p fd. */
int fd_take(int *fd);

/*
 * Reads at most @p capacity - 1 bytes of a file and ends them with a NUL.
 *
 * @return the bytes read, or a negative errno (@p buffer is then "")
 */
int fd_read_file(const char *path, char *buffer, size_t capacity);

/* As fd_read_file(), of a file of one line, as the kernel's are that hold one value: a newline is
 * its end, and no further read(2) asks for one. */
int fd_read_line(const char *path, char *buffer, size_t capacity);

/* Writes @p text into a file that exists. @return 0 or a negative errno */
int fd_write_file(const char *path, const char *text);

#endif
