/* program: which file a program's name stands for, in PATH and by its path. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/program.h"
#include "folder.h"

static char folder[FOLDER_BYTES];
static char path[LIMITS_PATH], buffer[LIMITS_PATH];

static const char *in_folder(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in_folder(name), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int prepare(void **state)
{
    static char search[3 * LIMITS_PATH];

    (void)state;
    folder_make(folder);
    assert_int_equal(mkdir(in_folder("first"), 0755), 0);
    assert_int_equal(mkdir(in_folder("second"), 0755), 0);
    assert_int_equal(mkdir(in_folder("first/prog"), 0755), 0);
    put_file("first/plain", "text", 0644);
    put_file("second/prog", "has --some-option inside", 0755);
    put_file("second/plain", "text", 0644);
    put_file("empty", "", 0755);
    /* An empty word, a folder that is not there, and one longer than a path may be. */
    (void)snprintf(search, sizeof(search), ":%s/none:%s/first:/%0*d:%s/second", folder, folder,
                   LIMITS_PATH, 0, folder);
    return setenv("PATH", search, 1);
}

static int clean(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void a_name_is_the_first_program_in_path(void **state)
{
    (void)state;
    assert_int_equal(program_find("prog", buffer, sizeof(buffer)), 0);
    assert_string_equal(buffer, in_folder("second/prog"));
    assert_int_equal(program_find("nowhere", buffer, sizeof(buffer)), -ENOENT);
    assert_int_equal(program_find("plain", buffer, sizeof(buffer)), -EACCES);
}

static void without_path_it_is_looked_for_where_programs_are(void **state)
{
    const char *path_now = getenv("PATH");
    char *before = path_now ? strdup(path_now) : NULL;

    (void)state;
    assert_int_equal(unsetenv("PATH"), 0);
    assert_int_equal(program_find("sh", buffer, sizeof(buffer)), 0);
    assert_non_null(strstr(buffer, "bin/sh"));
    if (before)
        assert_int_equal(setenv("PATH", before, 1), 0);
    free(before);
}

static void a_path_is_checked(void **state)
{
    char small[8];

    (void)state;
    assert_int_equal(program_find(in_folder("second/prog"), buffer, sizeof(buffer)), 0);
    assert_string_equal(buffer, path);
    assert_int_equal(program_find(in_folder("first/plain"), buffer, sizeof(buffer)), -EACCES);
    assert_int_equal(program_find(in_folder("first"), buffer, sizeof(buffer)), -EISDIR);
    assert_int_equal(program_find("/dev/null", buffer, sizeof(buffer)), -EACCES);
    assert_int_equal(program_find(in_folder("none"), buffer, sizeof(buffer)), -ENOENT);
    assert_int_equal(program_find(in_folder("second/prog"), small, sizeof(small)), -ENAMETOOLONG);
    assert_int_equal(program_find("/bin/sh", small, sizeof("/bin/sh")), 0);
    assert_int_equal(program_find("/bin/sh", small, sizeof("/bin/sh") - 1), -ENAMETOOLONG);
}

static void a_virtiofsd_is_a_program(void **state)
{
    (void)state;
    assert_string_equal(program_find_virtiofsd(in_folder("second/prog"), buffer), path);
    assert_null(program_find_virtiofsd(in_folder("first"), buffer));
    assert_null(program_find_virtiofsd(in_folder("first/plain"), buffer));
}

static void the_text_of_a_program_is_known(void **state)
{
    (void)state;
    assert_true(program_knows(in_folder("second/prog"), "--some-option"));
    assert_true(program_knows(path, "has"));
    assert_true(program_knows(path, "inside"));
    assert_false(program_knows(path, "--other-option"));
    assert_false(program_knows(in_folder("empty"), "x"));
    assert_false(program_knows(in_folder("none"), "x"));
    assert_false(program_knows(folder, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_the_first_program_in_path),
        cmocka_unit_test(without_path_it_is_looked_for_where_programs_are),
        cmocka_unit_test(a_path_is_checked),
        cmocka_unit_test(a_virtiofsd_is_a_program),
        cmocka_unit_test(the_text_of_a_program_is_known),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
