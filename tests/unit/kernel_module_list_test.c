/* module_list: which modules are loaded, in which phase, from which list. */
#include "descriptors.h"
#include "init/kernel/module_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct module_list list;

static int parse(const char *text, unsigned *line)
{
    *line = 0;
    (void)snprintf(list.text, sizeof(list.text), "%s", text);
    return module_list_parse(&list, line);
}

#define IMAGE                                                                                      \
    "# made by the image's maker\n"                                                                \
    "/lib/virtio-ring.ko\n"                                                                        \
    "\n"                                                                                           \
    "  /lib/virtio.ko.xz  virtio_ring  # comment\n"                                                \
    "/lib/other.ko.gz\n"                                                                           \
    "-\n"                                                                                          \
    "/lib/virtio_net.ko.zst virtio virtio_ring"

static void lines_become_modules_in_two_phases(void **state)
{
    unsigned line;

    (void)state;
    assert_int_equal(parse(IMAGE, &line), 0);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.modules[0].name, "virtio_ring");
    assert_string_equal(list.modules[0].path, "/lib/virtio-ring.ko");
    assert_false(list.modules[0].late);
    assert_string_equal(list.modules[1].name, "virtio");
    assert_string_equal(list.modules[1].path, "/lib/virtio.ko.xz");
    assert_true(list.modules[3].late);
    assert_true(list.modules[3].wanted);
}

static void a_choice_brings_what_it_depends_on(void **state)
{
    char missing[MODULE_NAME_SIZE];
    unsigned line;

    (void)state;
    assert_int_equal(parse(IMAGE, &line), 0);
    module_list_choose(&list, "virtio-net,nonsense", missing);
    assert_true(list.modules[0].wanted);
    assert_true(list.modules[1].wanted);
    assert_false(list.modules[2].wanted);
    assert_true(list.modules[3].wanted);
    assert_string_equal(missing, "nonsense");
    module_list_choose(&list, "", missing);
    for (size_t i = 0; i < list.count; i++)
        assert_false(list.modules[i].wanted);
    assert_string_equal(missing, "");
}

static void bad_lines_are_left_out_and_the_first_is_named(void **state)
{
    unsigned line;

    (void)state;
    assert_int_equal(parse("/lib/a.ko\nlib/b.ko\n/lib/c.so\n/lib/.ko\n/lib/d.ko\n", &line),
                     MODULE_LIST_E_LINE);
    assert_int_equal(line, 2);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.modules[1].name, "d");
}

static void more_than_the_table_holds_is_left_out(void **state)
{
    unsigned line = 0;
    size_t used = 0;

    (void)state;
    for (unsigned i = 0; i <= INIT_MODULES; i++)
        used += (size_t)snprintf(list.text + used, sizeof(list.text) - used, "/m%u.ko\n", i);
    assert_int_equal(module_list_parse(&list, &line), MODULE_LIST_E_FULL);
    assert_int_equal(line, INIT_MODULES + 1);
    assert_int_equal(list.count, INIT_MODULES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_modules_in_two_phases),
        cmocka_unit_test(a_choice_brings_what_it_depends_on),
        cmocka_unit_test(bad_lines_are_left_out_and_the_first_is_named),
        cmocka_unit_test(more_than_the_table_holds_is_left_out),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
