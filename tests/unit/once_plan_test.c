/* `guestlink run`'s QEMU command line: what depends on which QEMU it is. */
#include "once/plan.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/guestlink-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_program(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(close(fd), 0);
}

/* The words behind the path in the option of the guest's chardev. */
static void check_chardev(const char *program, const char *expected)
{
    char qemu[64];
    struct request request = REQUEST_NULL;
    struct kernel kernel = {.image = "/k", .release = "1", .modules = "/m"};
    struct plan plan = {.request = &request, .kernel = &kernel, .folder = "/f", .image = "/i"};
    struct json_object *config;
    WORDS words = WORDS_NULL;
    const char *found = NULL;

    (void)snprintf(qemu, sizeof(qemu), "%s/qemu", folder);
    if (program)
        write_program(qemu, program);
    request.qemu = qemu;
    config = plan_make_config(&plan);
    assert_int_equal(plan_make_qemu(&plan, config, &words), 0);
    for (size_t i = 0; i < words.count; i++)
        if (strncmp(words.items[i], "socket,id=guestlink,", 20) == 0)
            found = words.items[i];
    assert_non_null(found);
    assert_string_equal(found, expected);
    json_object_put(config);
    if (program)
        assert_int_equal(unlink(qemu), 0);
}

#define CHARDEV "socket,id=guestlink,path=/f/guest.sock"

/* 9.2 and later; before; a script or nothing, of which is not known what it is. */
static void connection_is_made_anew_as_that_qemu_calls_it(void **state)
{
    (void)state;
    check_chardev(ELFMAG " reconnect reconnect-ms", CHARDEV ",reconnect-ms=1000");
    check_chardev(ELFMAG " reconnect", CHARDEV ",reconnect=1");
    check_chardev("#!/bin/sh\nexec qemu \"$@\"\n", CHARDEV);
    check_chardev(NULL, CHARDEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection_is_made_anew_as_that_qemu_calls_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
