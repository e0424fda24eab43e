/* fd: small files are written and read whole. */
#include "descriptors.h"
#include "folder.h"
#include "init/base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void what_is_written_is_read(void **state)
{
    char folder[FOLDER_BYTES], path[FOLDER_BYTES + 8], text[16] = "?";
    FILE *file;

    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    assert_int_equal(fd_write_file(path, "words"), -ENOENT); /* the kernel's are there */
    assert_int_equal(fd_read_file(path, text, sizeof(text)), -ENOENT);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fd_read_file(path, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(fd_write_file(path, "words"), 0);
    assert_int_equal(fd_read_file(path, text, sizeof(text)), 5);
    assert_string_equal(text, "words");
    folder_remove(folder);
}

static void a_line_ends_at_its_newline(void **state)
{
    char path[32], text[16] = "?";
    int ends[2];

    (void)state;
    assert_int_equal(fd_read_line("/nowhere", text, sizeof(text)), -ENOENT);
    assert_string_equal(text, "");
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(write(ends[1], "a value\n", 8), 8);
    /* The pipe is open: a read past the newline would never return. */
    assert_int_equal(fd_read_line(path, text, sizeof(text)), 8);
    assert_string_equal(text, "a value\n");
    assert_int_equal(write(ends[1], "short", 5), 5);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(fd_read_line(path, text, sizeof(text)), 5);
    assert_string_equal(text, "short");
    assert_int_equal(close(ends[0]), 0);
}

static void one_is_closed_once(void **state)
{
    int ends[2], taken;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fd_close(ends[0]), -1);
    assert_int_equal(close(ends[0]), -1);
    taken = fd_take(&ends[1]);
    assert_int_equal(ends[1], -1);
    assert_int_equal(fd_close(taken), -1);
    assert_int_equal(fd_close(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_line_ends_at_its_newline),
        cmocka_unit_test(one_is_closed_once),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
