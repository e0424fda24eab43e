/* spawn: what a child is started with, and what is not handed on. */
#include "descriptors.h"
#include "init/base/limits.h"
#include "init/process/spawn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[65536];

static struct wire_list list_of(struct wire_writer *writer, const char *const *texts, size_t count)
{
    struct wire_list list = {.data = writer->data + writer->size, .count = (uint16_t)count};
    size_t start = writer->size;

    for (size_t i = 0; i < count; i++)
        wire_put_list_item(writer, wire_text_of(texts[i]));
    list.size = writer->size - start;
    return list;
}

static void what_was_for_pid_1_alone_is_private(void **state)
{
    (void)state;
    assert_true(spawn_is_private("hv_pci_swiotlb=64M"));
    assert_true(spawn_is_private("swiotlb=force"));
    assert_true(spawn_is_private("guestlink.host=vsock:2:1"));
    assert_false(spawn_is_private("HOME=/"));
    assert_false(spawn_is_private("X=a.b"));
    assert_false(spawn_is_private("swiotlbx=1"));
    assert_false(spawn_is_private(""));
}

static void words_are_counted_and_variables_have_names(void **state)
{
    static const char *const argv[] = {"/bin/true"}, *const sound[] = {"A=", "B=c=d"};
    static const char *const bad[] = {"", "=", "=x", "NAME"};
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process order = {.argv = list_of(&writer, argv, 1)};

    (void)state;
    assert_int_equal(spawn_check(&order), 0);
    order.environment = list_of(&writer, sound, 2);
    assert_int_equal(spawn_check(&order), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        order.environment = list_of(&writer, &bad[i], 1);
        assert_int_equal(spawn_check(&order), EINVAL);
    }
    order.environment = (struct wire_list){0};
    order.argv.count = 0;
    assert_int_equal(spawn_check(&order), EINVAL);
    order.argv.count = INIT_WORDS + 1;
    assert_int_equal(spawn_check(&order), E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_for_pid_1_alone_is_private),
        cmocka_unit_test(words_are_counted_and_variables_have_names),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
