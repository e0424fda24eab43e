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

#include "base/fd.h"
#include "base/inet.h"

#define DIRECTORY "/run/guestlink/dns" /* a file for every interface, its lines as they will be */
#define TEMPORARY DIRECTORY "/.new"
#define WHOLE     "/run/guestlink/resolv.conf"
#define PUBLIC    "/etc/resolv.conf"
#define SIZE      8192u

/* Makes the interface's lines of @p dns. @return 0 or a positive errno in the report */
static int compose(struct wire_list dns, char *text, struct report *report)
{
    struct wire_text item;
    size_t size = 0;

    text[0] = '\0';
    while (wire_list_next(&dns, &item)) {
        struct inet inet;

        if (inet_parse(item, &inet) < 0 || inet.prefix != inet_size(inet.family) * 8)
            return report_fail(report, EINVAL, "name server '%.*s': expected an address",
                               (int)(item.size > 60 ? 60 : item.size), item.data);
        if (size + item.size + sizeof("nameserver \n") > SIZE)
            return report_fail(report, E2BIG, "%u name servers: expected at most %u bytes of them",
                               dns.count, SIZE);
        size += (size_t)snprintf(text + size, SIZE - size, "nameserver %.*s\n", (int)item.size,
                                 item.data);
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

/* What stands at @p path is the old text or the new one, never half of one. */
static int write_whole(const char *path, const char *temporary, const char *text)
{
    FD_CLOSE int fd = -1;

    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
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
    r = write_whole(PUBLIC, PUBLIC ".new", text);
    if (r == 0)
        return 0;
    /* A read-only root, or /etc/resolv.conf is a mount already: ours, from before. */
    if (r != -EROFS && r != -EBUSY)
        return report_fail(report, -r, PUBLIC ": %s", strerror(-r));
    r = write_whole(WHOLE, WHOLE ".new", text);
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
    int r;

    if (compose(dns, text, report) != 0)
        return report->error;
    (void)snprintf(path, sizeof(path), DIRECTORY "/%s", interface);
    if (dns.count == 0 && access(path, F_OK) < 0)
        return 0;
    (void)mkdir("/run/guestlink", 0755);
    (void)mkdir(DIRECTORY, 0755);
    lock = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return report_fail(report, errno, DIRECTORY ": %s", strerror(errno));
    r = write_whole(path, TEMPORARY, text);
    if (r < 0)
        return report_fail(report, -r, "%s: %s", path, strerror(-r));
    join(text);
    return publish(text, report);
}
