/* jail libraries: what a program is loaded with, asked of its own loader, or a reason why not. The
 * programs are this test's own, with their loader's name or their list of parts changed. */
#include "base/jail_parts.h"
#include "descriptors.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[FOLDER_BYTES], program[128], said[1 << 16];
static const char *paths[JAIL_LIBRARIES + 1];

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    (void)snprintf(program, sizeof(program), "%s/program", folder);
    paths[0] = "untouched";
    return chdir(folder);
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return chdir("/");
}

static void write_program(const void *data, size_t size)
{
    int fd = open(program, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    (void)close(fd);
}

static char *map_self(size_t *ret_size)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *data;

    assert_int_equal(fstat(fd, &st), 0);
    data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(data, MAP_FAILED);
    (void)close(fd);
    *ret_size = (size_t)st.st_size;
    return data;
}

static ElfW(Phdr) * find_part(char *data)
{
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)data;
    ElfW(Phdr) *part = (ElfW(Phdr) *)(void *)(data + header->e_phoff);

    while (part->p_type != PT_INTERP)
        part++;
    return part;
}

/* A copy of this program with another loader; @p size is what the file says of the name. */
static void write_with_loader(const char *loader, size_t size)
{
    size_t whole;
    char *data = map_self(&whole);
    ElfW(Phdr) *part = find_part(data);

    assert_true(strlen(loader) < part->p_filesz);
    memcpy(data + part->p_offset, loader, strlen(loader) + 1);
    part->p_filesz = size;
    write_program(data, whole);
    (void)munmap(data, whole);
}

static int list(size_t capacity)
{
    return jail_libraries(program, said, capacity, paths);
}

static void a_program_is_listed_with_its_loader(void **state)
{
    bool libc = false, loader = false, leaf = true;

    (void)state;
    assert_int_equal(jail_libraries("/bin/sh", said, sizeof(said), paths), 0);
    assert_non_null(paths[0]);
    for (size_t i = 0; paths[i]; i++) {
        struct stat st;

        leaf = leaf && paths[i][0] == '/' && stat(paths[i], &st) == 0 && S_ISREG(st.st_mode);
        libc = libc || strstr(paths[i], "/libc.");
        loader = loader || strstr(paths[i], "/ld-");
    }
    assert_true(leaf && libc && loader);
}

static void a_static_program_has_none(void **state)
{
    size_t whole;
    char *data = map_self(&whole);

    (void)state;
    find_part(data)->p_type = PT_NULL;
    write_program(data, whole);
    (void)munmap(data, whole);
    assert_int_equal(list(sizeof(said)), 0);
    assert_null(paths[0]);
}

static void what_is_no_program_is_refused(void **state)
{
    size_t whole;
    char *data = map_self(&whole);
    ElfW(Ehdr) *header = (ElfW(Ehdr) *)(void *)data;

    (void)state;
    assert_int_equal(list(sizeof(said)), -ENOENT);
    write_program("#!/bin/sh\n", 10);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    write_program(data, sizeof(*header) - 1);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    write_program(data, sizeof(*header)); /* its parts are not there */
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    header->e_phentsize++;
    write_program(data, whole);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    header->e_phentsize--;
    header->e_ident[1] = 'X';
    write_program(data, whole);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    (void)munmap(data, whole);
    assert_string_equal(paths[0], "untouched");
}

static void a_name_of_a_loader_that_is_none_is_refused(void **state)
{
    (void)state;
    write_with_loader("/bin/true", 0);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    write_with_loader("/bin/true", strlen("/bin/true")); /* no NUL */
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    write_with_loader("/bin/true", PATH_MAX + 1);
    assert_int_equal(list(sizeof(said)), -ENOEXEC);
    write_with_loader("/bin/true", strlen("/bin/true") + 1);
    assert_int_equal(list(sizeof(said)), 0);
    assert_null(paths[0]);
}

static void a_loader_that_fails_is_told(void **state)
{
    (void)state;
    write_with_loader("/bin/false", strlen("/bin/false") + 1);
    assert_int_equal(list(sizeof(said)), -EBADMSG);
    write_with_loader("/no/loader", strlen("/no/loader") + 1);
    assert_int_equal(list(sizeof(said)), -EBADMSG);
    assert_string_equal(paths[0], "untouched");
}

/* A script of ours in place of the loader: what it prints is what a loader would. */
static void write_loader(const char *text)
{
    int fd = open("l", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "#!/bin/sh\n%s\n", text), (int)strlen(text) + 11);
    (void)close(fd);
    write_with_loader("./l", sizeof("./l"));
}

static void its_lines_are_read(void **state)
{
    (void)state;
    write_loader("printf '\\tlinux-vdso.so.1 (0x1)\\n\\tliba.so => /lib/a b.so (0x2)\\n'\n"
                 "printf '\\tlibn.so => not found\\n\\t/lib/x => /lib/y.so (0x3)\\n\\t/lib/ld.so "
                 "(0x4)\\n/cut'\n");
    assert_int_equal(list(sizeof(said)), 0);
    assert_string_equal(paths[0], "/lib/a b.so");
    assert_string_equal(paths[1], "/lib/y.so");
    assert_string_equal(paths[2], "/lib/ld.so");
    assert_null(paths[3]);
}

static void more_than_there_is_room_for_is_refused(void **state)
{
    char script[256];

    (void)state;
    write_loader("printf '\\t/lib/a.so (0x1)\\n'"); /* 17 bytes */
    assert_int_equal(list(19), 0);
    assert_string_equal(paths[0], "/lib/a.so");
    assert_int_equal(list(18), -E2BIG);
    for (unsigned more = 0; more < 2; more++) {
        (void)snprintf(script, sizeof(script),
                       "i=0; while [ $i -lt %u ]; do echo '\t/l (0x1)'; i=$((i+1)); done",
                       JAIL_LIBRARIES + more);
        write_loader(script);
        assert_int_equal(list(sizeof(said)), more ? -E2BIG : 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_is_listed_with_its_loader),
        TEST(a_static_program_has_none),
        TEST(what_is_no_program_is_refused),
        TEST(a_name_of_a_loader_that_is_none_is_refused),
        TEST(a_loader_that_fails_is_told),
        TEST(its_lines_are_read),
        TEST(more_than_there_is_room_for_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
