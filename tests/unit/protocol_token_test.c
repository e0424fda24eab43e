/* token: what is formatted is parsed, and nothing else is. */
#include "descriptors.h"
#include "protocol/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    uint64_t base, size;
    const char *token;
} sound[] = {
    {0x14000000, 67108864, "swiotlb=0x14000000,67108864"},
    {4096, 4096, "swiotlb=0x1000,4096"},
    {0xabcdef000, 10, "swiotlb=0xabcdef000,10"},
    {0, 0, "swiotlb=0x0,0"},
    {UINT64_MAX, UINT64_MAX, "swiotlb=0xffffffffffffffff,18446744073709551615"},
};

static const char *const refused[] = {
    "",
    "swiotlb",
    "swiotlb=",
    "swiotlb=0x",
    "swiotlb=0x,",
    "swiotlb=0x,5",
    "swiotlb=0x1000",
    "swiotlb=0x1000,",
    "swiotlb=1000,4096",
    "swiotlb=0X1000,4096",
    "swiotlb=0xA000,4096",
    "SWIOTLB=0x1000,4096",
    "swiotlb=0x01000,4096",
    "swiotlb=0x0x1000,4096",
    "swiotlb=0x1000,04096",
    "swiotlb=0x1000,0x1000",
    "swiotlb=0x1000,4K",
    "swiotlb=0x1000,+4096",
    "swiotlb=0x1000,-1",
    "swiotlb=0x-1,4096",
    "swiotlb=0x+1000,4096",
    "swiotlb=0x 1000,4096",
    "swiotlb=0x1000, 4096",
    "swiotlb=0x1000 ,4096",
    " swiotlb=0x1000,4096",
    "swiotlb=0x1000,4096 ",
    "swiotlb=0x1000,4096\n",
    "swiotlb=0x1000,4096,",
    "swiotlb=0x1000,4096;ro",
    "swiotlb=0x1000;4096",
    "swiotlb=0x1000,4096.",
    "swiotlb=0x10000000000000000,4096",
    "swiotlb=0xfffffffffffffffff,18446744073709551615",
    "swiotlb=0x1000,18446744073709551616",
    "swiotlb=0x1000,99999999999999999999999999999999999999999999999999",
    "hv_pci_swiotlb=0x1000,4096",
};

static void token_is_written_and_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        char token[TOKEN_SIZE];
        uint64_t base, size;

        token_format(token, sound[i].base, sound[i].size);
        assert_string_equal(token, sound[i].token);
        assert_int_equal(token_parse(token, &base, &size), 0);
        assert_int_equal(base, sound[i].base);
        assert_int_equal(size, sound[i].size);
    }
}

static void anything_else_is_no_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        uint64_t base = 1, size = 2;

        if (token_parse(refused[i], &base, &size) != -EINVAL)
            fail_msg("\"%s\" was taken for a token", refused[i]);
        assert_int_equal(base, 1);
        assert_int_equal(size, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_written_and_read_back),
        cmocka_unit_test(anything_else_is_no_token),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
