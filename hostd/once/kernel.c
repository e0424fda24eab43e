/* kernel: found by the places that distributions use. */
#include "kernel.h"

#include "base/fd.h"
#include "ctl/say.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Linux' Documentation/arch/x86/boot.rst: "HdrS", and where the version's text is. */
#define HEADER_MAGIC  0x202
#define HEADER_TEXT   0x20e
#define HEADER_OFFSET 0x200

static bool is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* "6.1.0-56-cloud-amd64 (debian-kernel@…) #1 SMP …", up to the blank. @return false: no kernel that
 * we know */
static bool read_release(const char *image, char release[65])
{
    FD fd = open(image, O_RDONLY | O_CLOEXEC);
    unsigned char header[0x210];
    char text[65];
    ssize_t size;

    if (fd < 0 || pread(fd, header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header + HEADER_MAGIC, "HdrS", 4) != 0)
        return false;
    size = pread(fd, text, sizeof(text) - 1,
                 HEADER_OFFSET + (header[HEADER_TEXT] | header[HEADER_TEXT + 1] << 8));
    if (size <= 0)
        return false;
    text[size] = '\0';
    text[strcspn(text, " ")] = '\0';
    if (text[0] == '\0' || strchr(text, '/') != NULL)
        return false;
    (void)snprintf(release, 65, "%s", text);
    return true;
}

/* @return how many kernels the folder has; the path is that of the first */
static size_t look_into(const char *folder, char image[LIMITS_PATH])
{
    static const char *const places[] = {"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz",
                                         "lib/modules/*/vmlinuz"};
    size_t count = 0;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && count == 0; i++) {
        char pattern[LIMITS_PATH];
        glob_t found;

        if ((size_t)snprintf(pattern, sizeof(pattern), "%s/%s", folder, places[i]) >=
                sizeof(pattern) ||
            glob(pattern, 0, NULL, &found) != 0)
            continue;
        count = found.gl_pathc;
        (void)snprintf(image, LIMITS_PATH, "%s", found.gl_pathv[0]);
        globfree(&found);
    }
    return count;
}

static int find_own(char image[LIMITS_PATH])
{
    struct utsname name;

    (void)uname(&name);
    (void)snprintf(image, LIMITS_PATH, "/boot/vmlinuz-%s", name.release);
    if (access(image, F_OK) < 0)
        (void)snprintf(image, LIMITS_PATH, "/lib/modules/%s/vmlinuz", name.release);
    if (access(image, R_OK) == 0)
        return 0;
    if (errno == EACCES)
        say_error("cannot read this host's kernel \"%s\": %s; nothing was started; name another "
                  "one with --kernel, or make it readable (chmod +r, as root)",
                  image, strerror(errno));
    else
        say_error("cannot find this host's kernel, neither as \"/boot/vmlinuz-%s\" nor as \"%s\"; "
                  "nothing was started; name one with --kernel FILE, or a folder with an unpacked "
                  "kernel package with --kernel DIR",
                  name.release, image);
    return -ENOENT;
}

static int find_wanted(const char *wanted, char image[LIMITS_PATH])
{
    char *path = realpath(wanted, NULL);
    size_t count = 1;

    if (path == NULL) {
        say_error("cannot use --kernel \"%s\": %s; nothing was started", wanted, strerror(errno));
        return -ENOENT;
    }
    if (is_folder(path))
        count = look_into(path, image);
    else
        (void)snprintf(image, LIMITS_PATH, "%s", path);
    free(path);
    if (count == 1 && access(image, R_OK) == 0)
        return 0;
    if (count == 1)
        say_error("cannot read the kernel \"%s\": %s; nothing was started", image, strerror(errno));
    else
        say_error("cannot choose a kernel in \"%s\": it has %zu, expected one as boot/vmlinuz-* or "
                  "usr/lib/modules/*/vmlinuz; nothing was started; name the file with --kernel",
                  wanted, count);
    return -ENOENT;
}

static int find_modules(struct kernel *kernel)
{
    const char *release = kernel->release;
    char folder[LIMITS_PATH], path[LIMITS_PATH + 128];
    const char *const roots[] = {"/../lib/modules/", "/../usr/lib/modules/", "/lib/modules/"};

    (void)snprintf(folder, sizeof(folder), "%s", kernel->image);
    *strrchr(folder, '/') = '\0';
    /* Beside its modules, as in Debian's later packages and in Fedora's. */
    (void)snprintf(path, sizeof(path), "%s", folder);
    for (size_t i = 0; strcmp(strrchr(path, '/') + 1, release) != 0 || !is_folder(path); i++) {
        if (i == sizeof(roots) / sizeof(roots[0])) {
            say_error("cannot find the modules of the kernel \"%s\", release %s: no folder "
                      "lib/modules/%s next to the kernel's, nor on this host; nothing was "
                      "started; --kernel DIR takes a folder with both, as a package unpacks them",
                      kernel->image, release, release);
            return -ENOENT;
        }
        (void)snprintf(path, sizeof(path), "%s%s%s", i == 2 ? "" : folder, roots[i], release);
    }
    if (realpath(path, kernel->modules) == NULL)
        return -errno;
    return 0;
}

int kernel_find(const char *wanted, struct kernel *ret_kernel)
{
    int r = wanted == NULL ? find_own(ret_kernel->image) : find_wanted(wanted, ret_kernel->image);

    if (r < 0)
        return r;
    if (!read_release(ret_kernel->image, ret_kernel->release)) {
        say_error("cannot use the kernel \"%s\": not a bzImage of Linux for x86; nothing was "
                  "started",
                  ret_kernel->image);
        return -ENOENT;
    }
    return find_modules(ret_kernel);
}
