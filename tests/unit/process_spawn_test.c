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
    static const char *const next_to[] = {
        "NAME", "LONG=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    static const char *many[INIT_VARIABLES + 1];
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
    /* The next one's length, 61, looks like an equals sign. */
    order.environment = list_of(&writer, next_to, 2);
    assert_int_equal(spawn_check(&order), EINVAL);
    order.environment = (struct wire_list){0};
    order.argv.count = 0;
    assert_int_equal(spawn_check(&order), EINVAL);
    order.argv.count = INIT_WORDS + 1;
    assert_int_equal(spawn_check(&order), E2BIG);
    order.argv.count = INIT_WORDS;
    assert_int_equal(spawn_check(&order), 0);
    for (size_t i = 0; i <= INIT_VARIABLES; i++)
        many[i] = "A=";
    order.environment = list_of(&writer, many, INIT_VARIABLES);
    assert_int_equal(spawn_check(&order), 0);
    order.environment = list_of(&writer, many, INIT_VARIABLES + 1);
    assert_int_equal(spawn_check(&order), E2BIG);
}

static void limits_have_names_and_numbers(void **state)
{
    static const char *const argv[] = {"/bin/true"}, *const sound[] = {"nofile 1 2", "core 0 0"};
    static const char *const bad[] = {"nofile 1 2", "nofile 2 1"};
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process order = {.argv = list_of(&writer, argv, 1)};

    (void)state;
    order.limits = list_of(&writer, sound, 2);
    assert_int_equal(spawn_check(&order), 0);
    order.limits = list_of(&writer, bad, 2);
    assert_int_equal(spawn_check(&order), EINVAL);
}

/* A terminal of its own is a command's, which somebody looks at; a connection is no program. */
static void a_terminal_and_a_connection_are_a_commands(void **state)
{
    static const struct {
        uint16_t role;
        uint32_t flags;
        int error;
    } cases[] = {
        {REQUEST_ROLE_COMMAND, REQUEST_PROCESS_PTY | REQUEST_PROCESS_OUTPUT, 0},
        {REQUEST_ROLE_COMMAND, REQUEST_PROCESS_PTY, EINVAL},
        {REQUEST_ROLE_PAYLOAD, REQUEST_PROCESS_PTY | REQUEST_PROCESS_OUTPUT, EINVAL},
        {REQUEST_ROLE_COMMAND,
         REQUEST_PROCESS_PTY | REQUEST_PROCESS_OUTPUT | REQUEST_PROCESS_TERMINAL, EINVAL},
        {REQUEST_ROLE_PAYLOAD, REQUEST_PROCESS_OUTPUT, 0},
        {REQUEST_ROLE_PAYLOAD, REQUEST_PROCESS_TERMINAL, 0},
        {REQUEST_ROLE_COMMAND, REQUEST_PROCESS_CONNECTION, 0},
        {REQUEST_ROLE_PAYLOAD, REQUEST_PROCESS_CONNECTION, EINVAL},
        {REQUEST_ROLE_COMMAND, REQUEST_PROCESS_CONNECTION | REQUEST_PROCESS_TERMINAL, EINVAL},
        {REQUEST_ROLE_COMMAND,
         REQUEST_PROCESS_CONNECTION | REQUEST_PROCESS_PTY | REQUEST_PROCESS_OUTPUT, EINVAL},
    };
    static const char *const argv[] = {"/bin/true"};
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process order = {.argv = list_of(&writer, argv, 1)};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        order.role = cases[i].role;
        order.flags = cases[i].flags;
        assert_int_equal(spawn_check(&order), cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_for_pid_1_alone_is_private),
        cmocka_unit_test(words_are_counted_and_variables_have_names),
        cmocka_unit_test(limits_have_names_and_numbers),
        cmocka_unit_test(a_terminal_and_a_connection_are_a_commands),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
