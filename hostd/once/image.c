/* image: a cache of what guestlink-mkinitramfs makes. */
#include "image.h"

#include "base/fd.h"
#include "base/program.h"
#include "ctl/say.h"
#include "tool.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNUSED_SECONDS ((time_t)30 * 24 * 3600)

/* The pause between two tries of the lock; and after how many tries the progress is shown. */
#define LOCK_PAUSE_MS 200
#define LOCK_PROGRESS 5u

/* FNV-1a, 64 bits: tells images apart that the same user made. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    for (const unsigned char *byte = data; size > 0; byte++, size--)
        hash = (hash ^ *byte) * HASH_PRIME;
    return hash;
}

/* The file's name, and what changes when it is replaced. */
static uint64_t hash_file(uint64_t hash, const char *path)
{
    struct stat status = {0};
    int64_t facts[3];

    (void)stat(path, &status);
    facts[0] = status.st_size;
    facts[1] = status.st_mtim.tv_sec;
    facts[2] = status.st_mtim.tv_nsec;
    return hash_bytes(hash_bytes(hash, path, strlen(path) + 1), facts, sizeof(facts));
}

/* A guest has no libraries. */
static bool is_static(const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Phdr part;
    Elf64_Ehdr head;

    if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    for (unsigned i = 0; i < head.e_phnum; i++)
        if (pread(fd, &part, sizeof(part), (off_t)(head.e_phoff + i * sizeof(part))) !=
                sizeof(part) ||
            part.p_type == PT_INTERP)
            return false;
    return true;
}

/* BusyBox with a name for each of its commands. @return 0, or -ENOENT after saying why */
static int add_busybox(struct words *words, uint64_t *hash)
{
    char path[LIMITS_PATH], name[64];
    FILE *list;

    if (program_find("busybox", path, sizeof(path)) < 0 || !is_static(path)) {
        say_error("cannot find a static busybox, which a guest without --root needs; nothing was "
                  "started; install the package busybox-static, or name a root with --root DIR");
        return -ENOENT;
    }
    words_add(words, "--add");
    words_add(words, "%s:/bin/busybox", path);
    *hash = hash_file(*hash, path);
    /* NOLINTNEXTLINE(cert-env33-c): no word of it is anybody's */
    list = popen("exec busybox --list", "re");
    while (list != NULL && fscanf(list, "%63s", name) == 1) {
        if (strcmp(name, "busybox") == 0 || strchr(name, ':') != NULL)
            continue;
        words_add(words, "--link");
        words_add(words, "busybox:/bin/%s", name);
    }
    if (list != NULL)
        (void)pclose(list);
    return 0;
}

/* All words but those that name the kernel's folder and the output. */
static int make_words(const struct request *request, const struct kernel *kernel,
                      struct words *words, uint64_t *hash)
{
    static const char *const disk[] = {"virtio_blk", "ext4"};
    char maker[LIMITS_PATH], init[LIMITS_PATH], enter[LIMITS_PATH];

    if (tool_find("guestlink-mkinitramfs", "guestlink-init", maker) < 0 ||
        tool_find("guestlink-init", "guestlink-init", init) < 0)
        return -ENOENT;
    words_add(words, "%s", maker);
    words_add(words, "--init");
    words_add(words, "%s", init);
    words_add(words, "--early");
    words_add(words, "virtio_console");
    *hash = hash_file(hash_file(hash_file(*hash, maker), init), kernel->modules);
    /* Early, all of them: a command may want them in the instant in which the guest is ready. */
    for (size_t i = 0; request->disk_count > 0 && i < sizeof(disk) / sizeof(disk[0]); i++) {
        words_add(words, "--early");
        words_add(words, "%s", disk[i]);
    }
    if (request->root == NULL)
        return add_busybox(words, hash);
    if (!request->root_rw) {
        words_add(words, "--early");
        words_add(words, "overlay");
    }
    if (tool_find("guestlink-enter", "guestlink-init", enter) < 0)
        return -ENOENT;
    *hash = hash_file(*hash, enter);
    words_add(words, "--add");
    words_add(words, "%s:" IMAGE_ENTER, enter);
    return 0;
}

/* @return -errno, after saying it */
static int fail(const char *path)
{
    int r = -errno;

    say_error("cannot use \"%s\" for the guest's image: %s; nothing was started; XDG_CACHE_HOME "
              "names another place",
              path, strerror(-r));
    return r;
}

/* Another owner of the folder could put an image there, which would get this user's shares.
 * @param shared  it may be as /tmp is, where nobody can rename what is another's
 * @return 0, or -errno after saying why */
static int check_owner(const char *path, bool shared)
{
    struct stat status;
    bool open_to_all;

    if (stat(path, &status) < 0)
        return fail(path);
    errno = ENOTDIR;
    if (!S_ISDIR(status.st_mode))
        return fail(path);
    open_to_all = (status.st_mode & S_IWOTH) != 0 && !(shared && (status.st_mode & S_ISVTX) != 0);
    if (!open_to_all && (status.st_uid == geteuid() || status.st_uid == 0))
        return 0;
    say_error("cannot use \"%s\" for the guest's image: expected a folder that belongs to you, "
              "and that not everybody can write to; nothing was started; XDG_CACHE_HOME names "
              "another place",
              path);
    return -EPERM;
}

/* @return 0, or -errno after saying why */
static int find_cache(char ret_path[LIMITS_PATH])
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const struct passwd *user = NULL;
    int size;

    if (home == NULL || home[0] != '/')
        user = getpwuid(geteuid());
    if (user != NULL)
        home = user->pw_dir;
    if (base != NULL && base[0] == '/')
        size = snprintf(ret_path, LIMITS_PATH, "%s", base);
    else
        size = snprintf(ret_path, LIMITS_PATH, "%s/.cache", home != NULL ? home : "");
    if (size < 0 || size >= (int)LIMITS_PATH - 128) {
        errno = ENAMETOOLONG;
        return fail(ret_path);
    }
    (void)mkdir(ret_path, 0700);
    if (access(ret_path, F_OK) == 0 && check_owner(ret_path, true) < 0)
        return -EPERM;
    (void)snprintf(ret_path + size, LIMITS_PATH - (size_t)size, "/guestlink");
    if (mkdir(ret_path, 0700) < 0 && errno != EEXIST)
        return fail(ret_path);
    return check_owner(ret_path, false);
}

/* poll(2) cannot wait for a lock and @p stop at once, so the lock is tried again and again.
 * @return 0, -ECANCELED, or -errno after saying why */
static int wait_for_lock(int lock, const char *cache, int stop)
{
    struct pollfd poller = {.fd = stop, .events = POLLIN};

    for (unsigned tries = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(cache);
        if (tries == LOCK_PROGRESS)
            tool_tell_progress("waiting for another run, which is making an image");
        if (poll(&poller, 1, LOCK_PAUSE_MS) > 0)
            return -ECANCELED;
    }
    return 0;
}

/* A kernel's package has no modules.dep: that is made where it is installed. guestlink-mkinitramfs
 * then gets a folder with the same modules by links, and a modules.dep.
 * @return 0, -ECANCELED, or -errno after saying why */
static int prepare_modules(const struct kernel *kernel, const char *scratch, int stop,
                           char ret_root[LIMITS_PATH])
{
    static const char *const files[] = {"kernel", "updates", "modules.order", "modules.builtin",
                                        "modules.builtin.modinfo"};
    char from[LIMITS_PATH + 64], to[LIMITS_PATH + 64], *end;
    WORDS depmod = WORDS_NULL;
    int r;

    (void)snprintf(from, sizeof(from), "%s/modules.dep", kernel->modules);
    (void)snprintf(to, sizeof(to), "/lib/modules/%s", kernel->release);
    end = kernel->modules[0] != '\0' ? strstr((char *)kernel->modules, to) : NULL;
    if (access(from, R_OK) == 0 && end != NULL && strcmp(end, to) == 0) {
        (void)snprintf(ret_root, LIMITS_PATH, "%.*s", (int)(end - kernel->modules),
                       kernel->modules);
        return 0;
    }
    (void)snprintf(ret_root, LIMITS_PATH, "%s/kernel", scratch);
    for (const char *part[] = {"", "/lib", "/lib/modules", to, NULL}, **p = part; *p != NULL; p++) {
        (void)snprintf(from, sizeof(from), "%s%s", ret_root, *p);
        if (mkdir(from, 0700) < 0 && errno != EEXIST)
            return fail(from);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(from, sizeof(from), "%s/%s", kernel->modules, files[i]);
        (void)snprintf(to, sizeof(to), "%.*s/lib/modules/%s/%s", (int)LIMITS_PATH / 2, ret_root,
                       kernel->release, files[i]);
        if (access(from, R_OK) == 0 && symlink(from, to) < 0)
            return fail(to);
    }
    words_add(&depmod, "depmod");
    words_add(&depmod, "-b");
    words_add(&depmod, "%s", ret_root);
    words_add(&depmod, "%s", kernel->release);
    r = tool_run(&depmod, "looking through the kernel's modules", stop);
    if (r > 0)
        say_error("cannot list the modules in \"%s\": depmod exited with status %d; nothing was "
                  "started",
                  kernel->modules, r);
    return r > 0 ? -EIO : r;
}

/* Images that were not used for long, and what a run that was killed left half. */
static void prune(const char *cache)
{
    char pattern[LIMITS_PATH];
    struct stat status;
    glob_t found;

    if ((size_t)snprintf(pattern, sizeof(pattern), "%s/*.img*", cache) >= sizeof(pattern) ||
        glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (stat(found.gl_pathv[i], &status) == 0 &&
            status.st_mtim.tv_sec < time(NULL) - UNUSED_SECONDS)
            (void)unlink(found.gl_pathv[i]);
    globfree(&found);
}

static int make(struct words *words, const struct kernel *kernel, const char *scratch, int stop,
                const char *path)
{
    char root[LIMITS_PATH];
    int r = prepare_modules(kernel, scratch, stop, root);

    if (r < 0)
        return r;
    words_add(words, "--root");
    words_add(words, "%s", root[0] != '\0' ? root : "/");
    words_add(words, "%s", kernel->release);
    words_add(words, "%s", path);
    (void)setenv("TMPDIR", scratch, 1);
    r = tool_run(words, "making the guest's image, once for this kernel", stop);
    if (r > 0)
        say_error("cannot make the guest's image \"%s\": guestlink-mkinitramfs exited with "
                  "status %d; nothing was started",
                  path, r);
    return r > 0 ? -EIO : r;
}

int image_get(const struct request *request, const struct kernel *kernel, const char *scratch,
              int stop, char ret_path[LIMITS_PATH])
{
    uint64_t hash = hash_bytes(HASH_BEGIN, GUESTLINK_VERSION, sizeof(GUESTLINK_VERSION));
    char cache[LIMITS_PATH];
    WORDS words = WORDS_NULL;
    FD lock = -1;
    int r = find_cache(cache);

    if (r == 0)
        r = make_words(request, kernel, &words, &hash);
    if (r < 0)
        return r;
    for (size_t i = 0; i < words.count; i++)
        hash = hash_bytes(hash, words.items[i], strlen(words.items[i]) + 1);
    if ((size_t)snprintf(ret_path, LIMITS_PATH, "%s/%s-%016llx.img", cache, kernel->release,
                         (unsigned long long)hash) >= LIMITS_PATH) {
        errno = ENAMETOOLONG;
        return fail(cache);
    }
    /* It counts as used. */
    if (utimensat(AT_FDCWD, ret_path, NULL, 0) == 0)
        return 0;
    lock = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return fail(cache);
    r = wait_for_lock(lock, cache, stop);
    if (r < 0)
        return r;
    if (access(ret_path, R_OK) == 0) /* another run has made it meanwhile */
        return 0;
    prune(cache);
    return make(&words, kernel, scratch, stop, ret_path);
}
