/* resolv: /etc/resolv.conf, made of what every interface brought. */
#include "resolv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inet.h"

/* A file METRIC-INTERFACE for each, in the order of their names; its lines as they will be. */
#define DIRECTORY "/run/guestlink/dns"
#define WHOLE     "/run/guestlink/resolv.conf"
#define PUBLIC    "/etc/resolv.conf"
#define SIZE      8192u
#define LINKS     16u /* more than anybody makes in good faith */

/* Makes the interface's lines. @return 0, or a positive errno in the report */
static int compose(struct wire_list dns, char *text, struct report *report)
{
    struct wire_text item;
    size_t size = 0;

    text[0] = '\0';
    while (wire_list_next(&dns, &item)) {
        struct inet inet;

        if (inet_parse(item, &inet) < 0 || inet.prefix != inet_size(inet.family) * 8)
            return report_add(report, EINVAL, "name server '%.*s': expected an address",
                              (int)(item.size > 60 ? 60 : item.size), item.data);
        if (size + item.size + sizeof("nameserver \n") > SIZE)
            return report_add(report, E2BIG, "name servers: expected at most %u bytes of them",
                              SIZE);
        size += (size_t)snprintf(text + size, SIZE - size, "nameserver %.*s\n", (int)item.size,
                                 item.data);
    }
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Deletes what the interface had, and what interfaces had that are gone. @return how many */
static unsigned delete_old(const char *interface)
{
    struct dirent **names = NULL;
    int count = scandir(DIRECTORY, &names, is_visible, NULL);
    unsigned deleted = 0;

    for (int i = 0; i < count; i++) {
        const char *owner = strchr(names[i]->d_name, '-');
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), DIRECTORY "/%s", names[i]->d_name);
        if (!owner || strcmp(owner + 1, interface) == 0 || if_nametoindex(owner + 1) == 0)
            deleted += unlink(path) == 0;
        free(names[i]);
    }
    free(names);
    return deleted;
}

/* Joins the files of all interfaces into @p text. */
static void join(char *text)
{
    struct dirent **names = NULL;
    int count = scandir(DIRECTORY, &names, is_visible, alphasort);
    size_t size = 0;

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        int n;

        (void)snprintf(path, sizeof(path), DIRECTORY "/%s", names[i]->d_name);
        n = fd_read_file(path, text + size, SIZE - size);
        size += n > 0 ? (size_t)n : 0;
        free(names[i]);
    }
    free(names);
}

/* What stands at @p path is the old text or the new one, never half of one. */
static int write_whole(const char *path, const char *text)
{
    char temporary[PATH_MAX + 8];
    FD_CLOSE int fd = -1;

    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return -EIO;
    return rename(temporary, path) < 0 ? -errno : 0;
}

/* Where @p path leads, each link on the way followed, whether or not anything is there.
 * @return false: too long, or too many links */
static bool resolve(const char *path, char at[PATH_MAX])
{
    char rest[2 * PATH_MAX], link[PATH_MAX], joined[2 * PATH_MAX];
    unsigned links = 0;

    (void)snprintf(rest, sizeof(rest), "%s", path);
    at[0] = '\0';
    while (rest[strspn(rest, "/")] != '\0') {
        const char *name = rest + strspn(rest, "/");
        size_t size = strcspn(name, "/"), used = strlen(at);
        ssize_t n = -1;

        if (size == 2 && name[0] == '.' && name[1] == '.') {
            at[used > 0 ? strrchr(at, '/') - at : 0] = '\0';
        } else if (size != 1 || name[0] != '.') {
            if (used + size + 2 > PATH_MAX)
                return false;
            (void)snprintf(at + used, PATH_MAX - used, "/%.*s", (int)size, name);
            n = readlink(at, link, sizeof(link) - 1);
        }
        if (n >= 0) {
            if (++links > LINKS)
                return false;
            link[n] = '\0';
            at[link[0] == '/' ? 0 : used] = '\0';
        }
        (void)snprintf(joined, sizeof(joined), "%s%s", n >= 0 ? link : "", name + size);
        (void)snprintf(rest, sizeof(rest), "%s", joined);
    }
    return true;
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
}

/* True if the file at @p path is none, or what we wrote last. */
static bool is_ours(const char *path, const char *last)
{
    char text[SIZE];
    int n = fd_read_file(path, text, sizeof(text));

    return n == -ENOENT || (n >= 0 && strcmp(text, last) == 0);
}

/* Over a file of a read-only root, or over a mount that is there already: ours, from before. */
static int mount_over(void)
{
    (void)umount2(PUBLIC, MNT_DETACH);
    return mount(WHOLE, PUBLIC, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static void publish(const char *text, const char *last, bool is_distributions,
                    struct report *report)
{
    char target[PATH_MAX];
    int r;

    (void)mkdir("/etc", 0755);
    if (!resolve(PUBLIC, target)) {
        (void)report_add(report, 0, PUBLIC ": a dangling link; name servers are in " WHOLE);
        return;
    }
    if (strcmp(target, PUBLIC) == 0) {
        r = write_whole(PUBLIC, text);
        if (r == -EROFS || r == -EBUSY)
            r = mount_over();
    } else if (strncmp(target, "/run/", 5) != 0 || (is_distributions && !is_ours(target, last))) {
        (void)report_add(
            report, 0,
            PUBLIC
            " points to %.80s, which is not ours; not changing it; name servers are in " WHOLE,
            target);
        return;
    } else {
        make_parents(target);
        r = write_whole(target, text);
    }
    if (r < 0)
        (void)report_add(report, 0, PUBLIC ": %s; name servers are in " WHOLE, strerror(-r));
}

void resolv_set(const struct resolv *resolv, struct report *report)
{
    char path[PATH_MAX], text[SIZE], last[SIZE];
    FD_CLOSE int lock = -1;
    unsigned deleted;
    int r = 0;

    if (compose(resolv->dns, text, report) != 0)
        return;
    if (resolv->dns.count == 0 && access(DIRECTORY, F_OK) < 0)
        return;
    (void)mkdir("/run/guestlink", 0755);
    (void)mkdir(DIRECTORY, 0755);
    lock = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        (void)report_add(report, 0, DIRECTORY ": %s", strerror(errno));
        return;
    }
    deleted = delete_old(resolv->interface);
    if (resolv->dns.count == 0 && deleted == 0)
        return;
    (void)snprintf(path, sizeof(path), DIRECTORY "/%010u-%s", resolv->metric, resolv->interface);
    if (resolv->dns.count > 0)
        r = write_whole(path, text);
    if (fd_read_file(WHOLE, last, sizeof(last)) < 0)
        last[0] = '\0';
    join(text);
    if (r == 0)
        r = write_whole(WHOLE, text);
    if (r < 0)
        (void)report_add(report, 0, WHOLE ": %s", strerror(-r));
    if (!resolv->is_private)
        publish(text, last, resolv->is_distributions, report);
}
