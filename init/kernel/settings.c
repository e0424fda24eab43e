/* settings: what a kernel and an empty root leave to the program that boots them. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kmsg_log.h"

#define HOSTS     "/etc/hosts"
#define HOSTS_NEW HOSTS ".guestlink"
#define LOCALHOST "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

static void set(const char *path, const char *default_value, const char *value)
{
    char text[64];
    int r = fd_read_file(path, text, sizeof(text));

    if (r == -ENOENT)
        return; /* this kernel has no such thing */
    text[strcspn(text, "\n")] = '\0';
    if (r >= 0 && strcmp(text, default_value) != 0)
        return;
    if (r >= 0)
        r = fd_write_file(path, value);
    if (r < 0)
        kmsg_log(LOG_WARNING, "cannot set %s to \"%s\": %s", path, value, strerror(-r));
}

/* For all users, as /tmp is. @return what mkdir(2) does */
static int make_shared(const char *path)
{
    int r = mkdir(path, 0755);

    return r == 0 ? chmod(path, 01777) : r;
}

static void make_folders(void)
{
    static const char *const paths[] = {"/run/lock", "/var/tmp"};

    (void)mkdir("/var", 0755);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (make_shared(paths[i]) < 0 && errno != EEXIST && errno != EROFS)
            kmsg_log(LOG_WARNING, "cannot create %s: %s", paths[i], strerror(errno));
}

void settings_apply(void)
{
    static const struct {
        const char *path, *default_value, *value;
    } table[] = {
        {"/proc/sys/fs/protected_symlinks", "0", "1"},
        {"/proc/sys/fs/protected_hardlinks", "0", "1"},
        {"/proc/sys/fs/protected_fifos", "0", "1"},
        {"/proc/sys/fs/protected_regular", "0", "1"},
        {"/proc/sys/net/ipv4/ping_group_range", "1\t0", "0 2147483647"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        set(table[i].path, table[i].default_value, table[i].value);
    make_folders();
}

/* A name that would be read as two, or as a comment, is left out. */
static void compose(char *text, size_t capacity)
{
    struct utsname name = {0};

    (void)uname(&name);
    if (name.nodename[0] == '\0' || strcmp(name.nodename, "localhost") == 0 ||
        strcspn(name.nodename, " \t#()") != strlen(name.nodename))
        name.nodename[0] = '\0';
    (void)snprintf(text, capacity, LOCALHOST "%s%s%s", name.nodename[0] ? "127.0.1.1 " : "",
                   name.nodename, name.nodename[0] ? "\n" : "");
}

/* What stands there is the old text or the new one, never half of one. @return 0 or -errno */
static int write_hosts(const char *text)
{
    FD_CLOSE int fd = -1;

    (void)mkdir("/etc", 0755);
    fd = open(HOSTS_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || rename(HOSTS_NEW, HOSTS) < 0) {
        int error = errno;

        (void)unlink(HOSTS_NEW);
        return -error;
    }
    return 0;
}

void settings_write_hosts(void)
{
    static char last[256]; /* as it was written here */
    char text[sizeof(last)], found[sizeof(last) + 1];
    struct stat status;
    int r;

    compose(text, sizeof(text));
    if (strcmp(text, last) == 0)
        return; /* a host says the name again after a reconnect, when /etc may be a dead share */
    if (lstat(HOSTS, &status) == 0 &&
        (last[0] == '\0' || !S_ISREG(status.st_mode) ||
         fd_read_file(HOSTS, found, sizeof(found)) < 0 || strcmp(found, last) != 0))
        return; /* somebody else's */
    r = write_hosts(text);
    if (r == 0)
        memcpy(last, text, sizeof(last));
    else if (r != -EROFS)
        kmsg_log(LOG_WARNING, "cannot write " HOSTS ": %s", strerror(-r));
}
