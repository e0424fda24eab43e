/* descriptors: a test program must end with the file descriptors that it began with. */
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WATCHED 1024

static bool noted[WATCHED];

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

int descriptors_note(void **state)
{
    (void)state;
    /* 0 is a descriptor like any other: who takes it for none, or for an error, shows here. */
    (void)close(STDIN_FILENO);
    for (int fd = 0; fd < WATCHED; fd++)
        noted[fd] = is_open(fd);
    return 0;
}

int descriptors_compare(void **state)
{
    bool same = true;

    (void)state;
    for (int fd = 0; fd < WATCHED; fd++) {
        char link[64], target[256];
        ssize_t length;

        if (is_open(fd) == noted[fd])
            continue;
        same = false;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        (void)fprintf(stderr, "file descriptor %d was %s: %s\n", fd,
                      noted[fd] ? "closed, though it is not the tests' own" : "leaked", target);
    }
    /* cmocka reports a failed tear-down of a group, and succeeds. */
    if (!same)
        exit(EXIT_FAILURE);
    return 0;
}
