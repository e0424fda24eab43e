/* search_path: whose folders are set right, and what is said of them. None of this machine's is
 * looked at or changed (CMakeLists.txt). */
#include "init/kernel/search_path.h"
#include "kmsg_played.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *odd;    /* the folder that is not root's and 0755, and */
static struct stat status; /* what it is */
static int owner_error, mode_error;
static char looked_at[256], changed[256];

int __wrap_stat(const char *path, struct stat *ret);
int __wrap_stat(const char *path, struct stat *ret)
{
    (void)snprintf(looked_at + strlen(looked_at), sizeof(looked_at) - strlen(looked_at), "%s ",
                   path);
    *ret = strcmp(path, odd) == 0 ? status : (struct stat){.st_mode = S_IFDIR | 0755};
    errno = ENOENT;
    return ret->st_mode == 0 ? -1 : 0;
}

int __wrap_chown(const char *path, uid_t uid, gid_t gid);
int __wrap_chown(const char *path, uid_t uid, gid_t gid)
{
    assert_int_equal(uid, 0);
    assert_int_equal(gid, 0);
    (void)snprintf(changed + strlen(changed), sizeof(changed) - strlen(changed), "chown %s ", path);
    errno = owner_error;
    return owner_error ? -1 : 0;
}

int __wrap_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode)
{
    assert_int_equal(mode, 0755);
    (void)snprintf(changed + strlen(changed), sizeof(changed) - strlen(changed), "chmod %s ", path);
    errno = mode_error;
    return mode_error ? -1 : 0;
}

static void guard(void)
{
    looked_at[0] = changed[0] = '\0';
    search_path_guard();
}

static void each_folder_on_the_way_is_looked_at(void **state)
{
    (void)state;
    odd = "";
    guard();
    assert_string_equal(looked_at, "/ /usr /usr/local /usr/local/sbin /usr/local/bin /usr/sbin "
                                   "/usr/bin /sbin /bin ");
    assert_string_equal(changed, "");
    kmsg_expect("");
}

static void what_others_could_write_to_becomes_roots(void **state)
{
    static const struct {
        mode_t mode;
        uid_t uid;
        gid_t gid;
        const char *line; /* "": it stays */
    } rows[] = {
        {S_IFDIR | 01777, 0, 0, "5 /usr had owner 0 and mode 1777; set to root and 0755\n"},
        {S_IFDIR | 0755, 5, 0, "5 /usr had owner 5 and mode 0755; set to root and 0755\n"},
        {S_IFDIR | 0775, 0, 7, "5 /usr had owner 0 and mode 0775; set to root and 0755\n"},
        {S_IFDIR | 0757, 0, 0, "5 /usr had owner 0 and mode 0757; set to root and 0755\n"},
        {S_IFDIR | 0775, 0, 0, ""},
        {S_IFDIR | 0700, 0, 7, ""},
        {S_IFREG | 0777, 5, 5, ""},
        {0, 5, 5, ""},
    };

    (void)state;
    odd = "/usr";
    owner_error = mode_error = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        status =
            (struct stat){.st_mode = rows[i].mode, .st_uid = rows[i].uid, .st_gid = rows[i].gid};
        guard();
        assert_string_equal(changed, rows[i].line[0] ? "chown /usr chmod /usr " : "");
        kmsg_expect(rows[i].line);
    }
}

static void what_cannot_be_changed_is_told_unless_nobody_can_write(void **state)
{
    static const struct {
        int owner_error, mode_error;
        const char *line;
    } rows[] = {
        {EPERM, 0,
         "3 cannot protect /bin (owner 5, mode 0777): Operation not permitted; other users than "
         "root can put programs there\n"},
        {0, EPERM,
         "3 cannot protect /bin (owner 5, mode 0777): Operation not permitted; other users than "
         "root can put programs there\n"},
        {EROFS, 0, ""},
        {0, EROFS, ""},
    };

    (void)state;
    odd = "/bin";
    status = (struct stat){.st_mode = S_IFDIR | 0777, .st_uid = 5};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        owner_error = rows[i].owner_error;
        mode_error = rows[i].mode_error;
        guard();
        assert_string_equal(changed, owner_error ? "chown /bin " : "chown /bin chmod /bin ");
        kmsg_expect(rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_folder_on_the_way_is_looked_at),
        cmocka_unit_test(what_others_could_write_to_becomes_roots),
        cmocka_unit_test(what_cannot_be_changed_is_told_unless_nobody_can_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
