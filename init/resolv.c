/* resolv: /etc/resolv.conf, made of what every interface brought. */
#include "resolv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "inet.h"

#define DIRECTORY "/run/guestlink/dns" /* a file for every interface, its lines as they will be */
#define WHOLE     "/run/guestlink/resolv.conf"
#define PUBLIC    "/etc/resolv.conf"
#define SIZE      8192u

static int write_interface(const char *path, struct wire_list dns, struct report *report)
{
    FD_CLOSE int fd = -1;
    struct wire_text text;

    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return report_fail(report, errno, "%s: %s", path, strerror(errno));
    while (wire_list_next(&dns, &text)) {
        struct inet inet;

        if (inet_parse(text, &inet) < 0 || inet.prefix != inet_size(inet.family) * 8)
            return report_fail(report, EINVAL, "name server '%.*s': expected an address",
                               (int)(text.size > 60 ? 60 : text.size), text.data);
        if (dprintf(fd, "nameserver %.*s\n", (int)text.size, text.data) < 0)
            return report_fail(report, errno, "%s: %s", path, strerror(errno));
    }
    return 0;
}

/* Joins the files of all interfaces into @p text. */
static void join(char *text)
{
    DIR *directory = opendir(DIRECTORY);
    const struct dirent *entry;
    size_t size = 0;

    text[0] = '\0';
    while (directory && (entry = readdir(directory))) {
        char path[PATH_MAX];
        int n;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), DIRECTORY "/%s", entry->d_name);
        n = fd_read_file(path, text + size, SIZE - size);
        size += n > 0 ? (size_t)n : 0;
    }
    if (directory)
        (void)closedir(directory);
}

static int write_whole(const char *path, const char *text)
{
    FD_CLOSE int fd = -1;
    char temporary[64];

    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return -EIO;
    return rename(temporary, path) < 0 ? -errno : 0;
}

static int publish(const char *text, struct report *report)
{
    int r;

    (void)mkdir("/etc", 0755);
    r = write_whole(PUBLIC, text);
    if (r == 0)
        return 0;
    /* A read-only root, or /etc/resolv.conf is a mount already: ours, from before. */
    if (r != -EROFS && r != -EBUSY)
        return report_fail(report, -r, PUBLIC ": %s", strerror(-r));
    r = write_whole(WHOLE, text);
    if (r < 0)
        return report_fail(report, -r, WHOLE ": %s", strerror(-r));
    (void)umount2(PUBLIC, MNT_DETACH);
    if (mount(WHOLE, PUBLIC, NULL, MS_BIND, NULL) < 0)
        return report_fail(report, errno, "cannot mount " WHOLE " over " PUBLIC ": %s",
                           strerror(errno));
    return 0;
}

int resolv_set(const char *interface, struct wire_list dns, struct report *report)
{
    FD_CLOSE int lock = -1;
    char path[PATH_MAX];
    char text[SIZE];

    (void)snprintf(path, sizeof(path), DIRECTORY "/%s", interface);
    if (dns.count == 0 && access(path, F_OK) < 0)
        return 0;
    (void)mkdir("/run/guestlink", 0755);
    (void)mkdir(DIRECTORY, 0755);
    lock = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return report_fail(report, errno, DIRECTORY ": %s", strerror(errno));
    if (write_interface(path, dns, report) != 0)
        return report->error;
    join(text);
    return publish(text, report);
}
