/* user: by the two files, since a static program has no name service. */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define GROUPS_MOST 256

struct user {
    char name[256]; /* "": a number that /etc/passwd does not have */
    char home[4096];
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MOST];
    size_t group_count;
};

/* @return true: it is a number, which -1 is not */
static bool read_id(const char *text, unsigned *ret_id)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number >= 0xffffffffUL)
        return false;
    *ret_id = (unsigned)number;
    return true;
}

static int find_user(const char *text, struct user *user)
{
    bool number = read_id(text, &user->uid), found = false;
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry;

    while (file != NULL && !found && (entry = fgetpwent(file)) != NULL) {
        found = number ? entry->pw_uid == user->uid : strcmp(entry->pw_name, text) == 0;
        if (!found)
            continue;
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
        (void)snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
        (void)snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
    }
    if (file != NULL)
        (void)fclose(file);
    if (!found && number)
        user->gid = user->uid;
    return found || number || strcmp(text, "root") == 0 ? 0 : -ENOENT;
}

static bool is_member(const struct group *group, const char *name)
{
    for (char **member = group->gr_mem; *member != NULL; member++)
        if (strcmp(*member, name) == 0)
            return true;
    return false;
}

/* @param wanted  a group's name or number; NULL: the user's own, and those that list the user */
static int find_groups(const char *wanted, struct user *user)
{
    bool found = wanted == NULL || read_id(wanted, &user->gid);
    FILE *file = fopen("/etc/group", "re");
    const struct group *entry;

    while (file != NULL && (entry = fgetgrent(file)) != NULL) {
        if (!found && strcmp(entry->gr_name, wanted) == 0) {
            user->gid = entry->gr_gid;
            found = true;
        }
        if (wanted == NULL && user->name[0] != '\0' && user->group_count < GROUPS_MOST - 1 &&
            is_member(entry, user->name))
            user->groups[user->group_count++] = entry->gr_gid;
    }
    if (file != NULL)
        (void)fclose(file);
    user->groups[user->group_count++] = user->gid;
    return found ? 0 : -ENOENT;
}

/* As PID 1 gives them to who it starts: programs open their standard streams again by name. A
 * terminal keeps its group (tty). Best effort: a stream that cannot be given is still open. */
static void give_streams(const struct user *user)
{
    enum { PTS_FIRST = 136, PTS_LAST = 143 }; /* UNIX98_PTY_SLAVE_MAJOR */
    struct stat status;

    for (int fd = 0; fd < 3; fd++) {
        if (fstat(fd, &status) < 0)
            continue;
        if (S_ISFIFO(status.st_mode))
            (void)!fchown(fd, user->uid, user->gid);
        else if (S_ISCHR(status.st_mode) && major(status.st_rdev) >= PTS_FIRST &&
                 major(status.st_rdev) <= PTS_LAST)
            (void)!fchown(fd, user->uid, (gid_t)-1);
    }
}

int user_become(const char *text)
{
    struct user user = {.home = "/"};
    char name[256];
    const char *colon = strchr(text, ':');
    int r;

    (void)snprintf(name, sizeof(name), "%.*s", colon != NULL ? (int)(colon - text) : 255, text);
    r = find_user(name, &user);
    if (r == 0)
        r = find_groups(colon != NULL ? colon + 1 : NULL, &user);
    if (r < 0)
        return r;
    give_streams(&user);
    if (setgroups(user.group_count, user.groups) < 0 ||
        setresgid(user.gid, user.gid, user.gid) < 0 || setresuid(user.uid, user.uid, user.uid) < 0)
        return -errno;
    (void)setenv("HOME", user.home, 1);
    if (user.name[0] != '\0') {
        (void)setenv("USER", user.name, 1);
        (void)setenv("LOGNAME", user.name, 1);
    }
    return 0;
}
