/*
 * A program into which a library is loaded (LD_PRELOAD), as into diod and virtiofsd. Each of its
 * words is a call, by the name that the dynamic linker finds; a line tells what came of it.
 *
 *   open FUNCTION PATH FLAGS MODE   "ok", the file's flags, its mode and its number; or the error
 *   stat FUNCTION PATH FLAGS        "ok", the device and the file's number; or the error
 *   calls                           system calls by their number
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef long (*function)();

static function find(const char *name)
{
    union {
        void *found;
        function call;
    } symbol = {.found = dlsym(RTLD_DEFAULT, name)};

    if (!symbol.found) {
        (void)fprintf(stderr, "there is no %s()\n", name);
        exit(EXIT_FAILURE);
    }
    return symbol.call;
}

static void print_error(void)
{
    (void)printf("%s\n", strerrorname_np(errno));
}

static void play_open(const char *name, const char *path, const char *flags_text,
                      const char *mode_text)
{
    int flags = (int)strtol(flags_text, NULL, 0), fd;
    mode_t mode = (mode_t)strtol(mode_text, NULL, 8);
    struct stat st;

    (void)umask(0);
    fd = (int)(strncmp(name, "openat", 6) == 0 ? find(name)(AT_FDCWD, path, flags, mode)
                                               : find(name)(path, flags, mode));
    if (fd < 0) {
        print_error();
        return;
    }
    if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) < 0)
        exit(EXIT_FAILURE);
    (void)printf("ok %#x %o %d\n", (unsigned)fcntl(fd, F_GETFL), st.st_mode & 07777U, fd);
    (void)close(fd);
}

static long call_stat(const char *name, const char *path, int flags, struct stat *st)
{
    struct statx status = {0};
    int fd = -1;
    long r;

    if (strstr(name, "statx")) {
        r = strcmp(name, "statx") == 0
                ? find(name)(AT_FDCWD, path, flags, 0U, &status)
                : find("syscall")((long)SYS_statx, AT_FDCWD, path, flags, 0U, &status);
        st->st_dev = makedev(status.stx_dev_major, status.stx_dev_minor);
        st->st_ino = status.stx_ino;
        return r;
    }
    if (strncmp(name, "fstatat", 7) == 0)
        return find(name)(AT_FDCWD, path, st, flags);
    if (strncmp(name, "fstat", 5) == 0 || strncmp(name, "__fxstat", 8) == 0)
        fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH);
    if (name[0] == '_')
        return fd < 0 ? find(name)(1, path, st) : find(name)(1, fd, st);
    return fd < 0 ? find(name)(path, st) : find(name)(fd, st);
}

static void play_stat(const char *name, const char *path, const char *flags)
{
    struct stat st = {.st_ino = 77};

    if ((int)call_stat(name, path, (int)strtol(flags, NULL, 0), &st) < 0) {
        print_error();
        return;
    }
    (void)printf("ok %llu %llu\n", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
}

/* One without parameters, one that fails, and one with six. */
static void play_calls(void)
{
    long size = sysconf(_SC_PAGESIZE), r;
    int fd = memfd_create("file", MFD_CLOEXEC);
    const char *second;

    (void)printf("%s ", find("syscall")((long)SYS_getpid) == getpid() ? "pid" : "another pid");
    r = find("syscall")((long)SYS_close, -1);
    (void)printf("%ld %s ", r, strerrorname_np(errno));
    if (ftruncate(fd, 2 * size) < 0 || pwrite(fd, "second page", 12, size) != 12)
        exit(EXIT_FAILURE);
    second =
        (const char *)find("syscall")((long)SYS_mmap, NULL, size, PROT_READ, MAP_SHARED, fd, size);
    (void)printf("%s\n", second == MAP_FAILED ? "no page" : second);
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "open") == 0 && i + 4 < argc) {
            play_open(argv[i + 1], argv[i + 2], argv[i + 3], argv[i + 4]);
            i += 4;
        } else if (strcmp(argv[i], "stat") == 0 && i + 3 < argc) {
            play_stat(argv[i + 1], argv[i + 2], argv[i + 3]);
            i += 3;
        } else if (strcmp(argv[i], "calls") == 0) {
            play_calls();
        } else {
            return 2;
        }
    }
    return EXIT_SUCCESS;
}
