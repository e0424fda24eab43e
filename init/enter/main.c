/*
 * guestlink-enter: becomes a command in another root than that of the guest's PID 1.
 *
 *   guestlink-enter [--overlay] [--bind PATH]... [--user USER[:GROUP]] [--directory DIR] ROOT
 *                   COMMAND [WORD]...
 *
 * In a new mount namespace ROOT becomes the root, with the guest's /proc, /sys, /dev and
 * /run, its name servers, and each PATH (a share) at the same place. With --overlay what is written
 * to that root lands in memory. `guestlink run --root` is made of this.
 *
 * Exit status, as long as there is no command: 125 (failed, or usage), 126, 127.
 */
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_FAILED = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

#define PATH_SIZE 4096

/* The tmpfs of --overlay, and what is in it. */
#define OVER      "/.enter"
#define OVER_ROOT OVER "/root"
#define RESOLV    "/etc/resolv.conf"

struct wanted {
    bool overlay;
    const char *binds[64];
    size_t bind_count;
    const char *user, *directory, *root;
};

_Noreturn static void fail(const char *what, const char *value, int error)
{
    (void)fprintf(stderr, "guestlink-enter: cannot %s \"%s\": %s; the command was not started\n",
                  what, value, strerror(error));
    exit(EXIT_FAILED);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        fail("create the folder", path, errno);
}

/* With all that is missing above it. */
static void make_folders(const char *path, size_t root)
{
    char part[PATH_SIZE];

    for (const char *slash = strchr(path + root + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        make_folder(part);
    }
    make_folder(path);
}

static void bind_path(const char *from, const char *to)
{
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
        fail("show", from, errno);
}

/* @return where the root is then */
static const char *lay_over(const char *root)
{
    char options[PATH_SIZE + 128];

    make_folder(OVER);
    if (mount("tmpfs", OVER, "tmpfs", 0, "mode=0755") < 0)
        fail("mount a tmpfs on", OVER, errno);
    make_folder(OVER "/up");
    make_folder(OVER "/work");
    make_folder(OVER_ROOT);
    (void)snprintf(options, sizeof(options),
                   "lowerdir=%s,upperdir=" OVER "/up,workdir=" OVER "/work", root);
    if (mount("overlay", OVER_ROOT, "overlay", 0, options) < 0)
        fail("lay an overlay (a module of the guest's kernel) over", root, errno);
    return OVER_ROOT;
}

/* A root's own file may be a link to what its resolver would have made. */
static void bind_name_servers(const char *root, bool writable)
{
    char path[PATH_SIZE];
    struct stat status;
    int fd;

    (void)snprintf(path, sizeof(path), "%s" RESOLV, root);
    if (stat(RESOLV, &status) < 0 || status.st_size == 0)
        return;
    if (writable && (lstat(path, &status) < 0 || !S_ISREG(status.st_mode))) {
        (void)unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd >= 0)
            (void)close(fd);
    }
    if (lstat(path, &status) == 0 && S_ISREG(status.st_mode))
        bind_path(RESOLV, path);
}

static void enter(const struct wanted *wanted)
{
    static const char *const own[] = {"/proc", "/sys", "/dev", "/run"};
    const char *root = wanted->root;
    char path[PATH_SIZE];

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("leave the mounts of", "/", errno);
    if (wanted->overlay)
        root = lay_over(root);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, own[i]);
        make_folder(path);
        bind_path(own[i], path);
    }
    bind_name_servers(root, wanted->overlay);
    for (size_t i = 0; i < wanted->bind_count; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, wanted->binds[i]);
        make_folders(path, strlen(root));
        bind_path(wanted->binds[i], path);
    }
    /* Not pivot_root(2): an initramfs cannot be put elsewhere. */
    if (chdir(root) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        fail("enter", root, errno);
}

static bool parse(int argc, char **argv, struct wanted *ret_wanted)
{
    static const struct option known[] = {{"overlay", no_argument, NULL, 'o'},
                                          {"bind", required_argument, NULL, 'b'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"directory", required_argument, NULL, 'd'},
                                          {0}};
    int option;

    while ((option = getopt_long(argc, argv, "+", known, NULL)) >= 0) {
        if (option == 'o')
            ret_wanted->overlay = true;
        else if (option == 'u')
            ret_wanted->user = optarg;
        else if (option == 'd')
            ret_wanted->directory = optarg;
        else if (option == 'b' && ret_wanted->bind_count < 64)
            ret_wanted->binds[ret_wanted->bind_count++] = optarg;
        else
            return false;
    }
    if (argc - optind < 2)
        return false;
    ret_wanted->root = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    struct wanted wanted = {0};
    char **command;
    int r;

    if (!parse(argc, argv, &wanted)) {
        (void)fprintf(stderr, "usage: guestlink-enter [--overlay] [--bind PATH]... [--user "
                              "USER[:GROUP]] [--directory DIR] ROOT COMMAND [WORD]...\n");
        return EXIT_FAILED;
    }
    command = argv + optind + 1;
    enter(&wanted);
    r = wanted.user != NULL ? user_become(wanted.user) : 0;
    if (r < 0)
        fail("become the user", wanted.user, -r);
    if (wanted.directory != NULL && chdir(wanted.directory) < 0)
        fail("enter the directory", wanted.directory, errno);
    (void)execvp(command[0], command);
    r = errno;
    (void)fprintf(stderr, "%s: %s\n", command[0], strerror(r));
    return r == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
