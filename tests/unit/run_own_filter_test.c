/* own filter: whatever name servers there are, the kernel can take the program. */
#include "run/own_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_jump(const struct bpf_insn *code)
{
    return BPF_CLASS(code->code) == BPF_JMP && BPF_OP(code->code) != BPF_CALL &&
           BPF_OP(code->code) != BPF_EXIT;
}

/* The kernel refuses what leaves the program, and what is never reached. */
static void check_program(const struct own_filter *filter)
{
    struct bpf_insn code[OWN_FILTER_SIZE + 1];
    bool reached[OWN_FILTER_SIZE + 1] = {true};
    size_t size = own_filter_build(filter, code);

    assert_in_range(size, 1, OWN_FILTER_SIZE);
    for (size_t i = 0; i < size; i++) {
        assert_true(reached[i]);
        if (is_jump(&code[i])) {
            assert_in_range(code[i].off, 0, size - i - 2);
            reached[i + 1 + (size_t)code[i].off] = true;
        }
        if (BPF_CLASS(code[i].code) != BPF_JMP ||
            (BPF_OP(code[i].code) != BPF_EXIT && BPF_OP(code[i].code) != BPF_JA))
            reached[i + 1] = true;
    }
    assert_false(reached[size]);
}

static void test_every_set_of_servers(void **state)
{
    static const char *const servers[] = {"127.0.0.53", "192.0.2.1", "::1", "fe80::1"};

    (void)state;
    for (unsigned which = 0; which < 1U << 6; which++) {
        struct own_filter filter = {.incoming = which & 16, .own_addresses = which & 32};

        for (size_t i = 0; i < 4; i++)
            assert_true(!(which & 1U << i) || own_filter_add_server(&filter, servers[i]));
        check_program(&filter);
    }
}

static void test_as_many_as_fit(void **state)
{
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    for (size_t i = 0; i < OWN_FILTER_SERVERS; i++)
        assert_true(own_filter_add_server(&filter, "2001:db8::1"));
    assert_false(own_filter_add_server(&filter, "2001:db8::1"));
    check_program(&filter);
}

static void test_what_is_no_address(void **state)
{
    static const char *const texts[] = {"", "127.1", "127.0.0.256", "localhost", "fe80::1%eth0"};
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(own_filter_add_server(&filter, texts[i]));
    assert_int_equal(filter.server_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_set_of_servers),
        cmocka_unit_test(test_as_many_as_fit),
        cmocka_unit_test(test_what_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
