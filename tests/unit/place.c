/* place: a machine of the test's own. */
#include "place.h"

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dirent.h>

#include <cmocka.h>

#define NOBODY     65534
#define SKIPPED    77
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static int skipped(const char *what)
{
    (void)printf("SKIP: no namespaces for this test: cannot %s: %s\n", what, strerror(errno));
    return SKIPPED;
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return written;
}

/* Becomes root of nothing but the namespaces. */
static const char *leave(void)
{
    unsigned uid, gid;
    char map[64];

    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return "become nobody";
    (void)prctl(PR_SET_DUMPABLE, 1); /* else its own /proc is not its own */
    uid = geteuid();
    gid = getegid();
    if (unshare(CLONE_NEWUSER | NAMESPACES) < 0)
        return "unshare them";
    (void)snprintf(map, sizeof(map), "0 %u 1", uid);
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
        return "map the user";
    (void)snprintf(map, sizeof(map), "0 %u 1", gid);
    return write_text("/proc/self/gid_map", map) ? NULL : "map the group";
}

/* /tmp is where this is mounted, and holds the old root for a moment. */
static const char *change_root(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("root", "/tmp", "tmpfs", 0, "mode=0755") < 0)
        return "mount a tmpfs";
    if (mkdir("/tmp/old", 0755) < 0 || mkdir("/tmp/proc", 0755) < 0 ||
        mount("proc", "/tmp/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return "mount a proc";
    if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", "old") < 0 || chdir("/") < 0 ||
        umount2("/old", MNT_DETACH) < 0 || rmdir("/old") < 0)
        return "leave the root";
    return NULL;
}

static int status_of(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) != child)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* The first process of the namespace does nothing but wait: signals would not reach it. Code under
 * test may exit, or return in a child: neither is the end of the tests. */
static int run_first(int (*tests)(void))
{
    pid_t *finished =
        mmap(NULL, sizeof(*finished), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *failed = NULL;
    pid_t child;
    int status;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    failed = finished == MAP_FAILED ? "map memory" : change_root();
    if (failed)
        return skipped(failed);
    child = fork();
    if (child == 0) {
        status = tests();
        *finished = getpid();
        exit(status);
    }
    status = child < 0 ? EXIT_FAILURE : status_of(child);
    if (*finished == child || status != 0)
        return status;
    (void)fprintf(stderr, "the tests exited before their end\n");
    return EXIT_FAILURE;
}

static int run_in_namespaces(int (*tests)(void))
{
    const char *failed = leave();
    pid_t child;

    if (failed)
        return skipped(failed);
    child = fork();
    if (child == 0)
        return run_first(tests);
    return child < 0 ? EXIT_FAILURE : status_of(child);
}

void place_run(int (*tests)(void))
{
    int status = run_in_namespaces(tests);

    (void)fflush(NULL);
    _exit(status); /* no sanitizer can look for leaks in a process whose namespace is gone */
}

void place_folder(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        fail_msg("cannot create %s: %s", path, strerror(errno));
}

void place_file(const char *path, const char *text)
{
    if (!write_text(path, text))
        fail_msg("cannot write %s: %s", path, strerror(errno));
}

void place_expect(const char *path, const char *text)
{
    char found[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, found, sizeof(found) - 1);

    if (fd >= 0)
        (void)close(fd);
    if (n < 0)
        fail_msg("cannot read %s: %s", path, strerror(errno));
    found[n] = '\0';
    assert_string_equal(found, text);
}

void place_tmpfs(const char *path)
{
    place_folder(path);
    if (mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
        fail_msg("cannot mount on %s: %s", path, strerror(errno));
}

/* @return true if it unmounted one: those above may be next */
static bool unmount_newest(void)
{
    FILE *table = fopen("/proc/self/mounts", "re");
    char newest[256] = "", target[256];

    assert_non_null(table);
    while (fscanf(table, "%*s %255s %*[^\n]", target) == 1)
        if (strcmp(target, "/") != 0 && strcmp(target, "/proc") != 0)
            (void)snprintf(newest, sizeof(newest), "%s", target);
    (void)fclose(table);
    return newest[0] != '\0' && umount2(newest, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
}

void place_clear(void)
{
    char path[300];
    struct dirent *entry;
    DIR *root;

    assert_int_equal(chdir("/"), 0);
    while (unmount_newest())
        ;
    (void)mount(NULL, "/", NULL, MS_REMOUNT, NULL);
    root = opendir("/");
    assert_non_null(root);
    while ((entry = readdir(root))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "proc") == 0)
            continue;
        (void)snprintf(path, sizeof(path), "/%s", entry->d_name);
        folder_remove(path);
    }
    (void)closedir(root);
}
