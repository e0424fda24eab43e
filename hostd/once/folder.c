/* folder: made with a name that nobody else has, removed file by file. */
#include "folder.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY "guestlink-run."
#define KEPT      "guestlink-kept."
#define UNIQUE    "XXXXXX"

/* Seconds. */
#define NEW_S 60

/* Levels of folders that are open at once. */
#define DEPTH 16

/* One that is too long for what will be in it is as good as none; so is one in which somebody else
 * could rename a folder of ours (root's, whom su left that of another user). */
static const char *find_base(void)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    struct stat status;

    if (base != NULL && base[0] == '/' && stat(base, &status) == 0 && status.st_uid == geteuid() &&
        (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && access(base, W_OK | X_OK) == 0 &&
        strlen(base) + sizeof("/" KEPT UNIQUE) <= FOLDER_SIZE)
        return base;
    return "/tmp";
}

void folder_name(char ret_path[FOLDER_SIZE])
{
    (void)snprintf(ret_path, FOLDER_SIZE, "%s/guestlink", find_base());
}

static int open_one(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* One that was made a moment ago has no configuration, and may get its lock any time. */
static bool is_new(int fd, const struct stat *status)
{
    return faccessat(fd, FOLDER_CONFIG, F_OK, 0) < 0 && status->st_mtime > time(NULL) - NEW_S;
}

static void sweep(const char *base)
{
    char pattern[FOLDER_SIZE + 64];
    struct stat status;
    glob_t found;

    (void)snprintf(pattern, sizeof(pattern), "%s/" TEMPORARY "*", base);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FD fd = open_one(found.gl_pathv[i]);

        if (fd >= 0 && fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
            !is_new(fd, &status) && flock(fd, LOCK_EX | LOCK_NB) == 0)
            folder_remove(found.gl_pathv[i]);
    }
    globfree(&found);
}

int folder_make(bool keep, char ret_path[FOLDER_SIZE])
{
    const char *base = find_base();
    FD fd = -1;

    sweep(base);
    (void)snprintf(ret_path, FOLDER_SIZE, "%s/%s" UNIQUE, base, keep ? KEPT : TEMPORARY);
    if (mkdtemp(ret_path) == NULL)
        return -errno;
    fd = open_one(ret_path);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = -errno;

        folder_remove(ret_path);
        return r;
    }
    return fd_take(&fd);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *level)
{
    (void)status;
    (void)kind;
    (void)level;
    (void)remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    (void)nftw(path, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
