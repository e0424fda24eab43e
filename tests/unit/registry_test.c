/* registry: VMs are found by each of their names, in whatever order they came; the ones that leave
 * are kept apart. The VMs are the test's. */
#include "descriptors.h"
#include "registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 9u

struct vm {
    struct config_vm config;
    char name[16];
    unsigned freed;
};

static struct vm vms[COUNT];
static struct vm *pointers[COUNT];

const struct config_vm *__wrap_vm_config(const struct vm *vm);
const struct config_vm *__wrap_vm_config(const struct vm *vm)
{
    return &vm->config;
}

struct vm *__wrap_vm_free(struct vm *vm);
struct vm *__wrap_vm_free(struct vm *vm)
{
    vm->freed++;
    return NULL;
}

/* Names, ids and CIDs are each in another order; the first has no CID. */
static int set_up(void **state)
{
    memset(vms, 0, sizeof(vms));
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(vms[i].name, sizeof(vms[i].name), "vm%u", i * 5 % COUNT);
        vms[i].config =
            (struct config_vm){.name = vms[i].name, .cid = i == 0 ? 0 : UINT32_MAX - i * 4 % COUNT};
        (void)snprintf(vms[i].config.id, sizeof(vms[i].config.id), "id%u", i * 7 % COUNT);
        pointers[i] = &vms[i];
    }
    *state = registry_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    assert_null(registry_free(*state));
    return 0;
}

static void need_all(const struct registry *registry, unsigned first, unsigned count)
{
    assert_int_equal(registry_count(registry), count);
    for (unsigned i = 0; i < COUNT; i++) {
        struct vm *wanted = i >= first && i < first + count ? &vms[i] : NULL;

        assert_ptr_equal(registry_find_name(registry, vms[i].name), wanted);
        assert_ptr_equal(registry_find_id(registry, vms[i].config.id), wanted);
        if (vms[i].config.cid != 0)
            assert_ptr_equal(registry_find_cid(registry, vms[i].config.cid), wanted);
        if (wanted)
            assert_ptr_equal(registry_get(registry, i - first), wanted);
    }
    assert_null(registry_find_name(registry, "vm"));
    assert_null(registry_find_id(registry, "id99"));
    assert_null(registry_find_cid(registry, 3));
    assert_null(registry_find_cid(registry, 0)); /* one without a CID has none that others know */
}

static void each_is_found_by_each_of_its_names(void **state)
{
    struct registry *registry = *state;

    need_all(registry, 0, 0);
    assert_int_equal(registry_reserve(registry, COUNT), 0);
    registry_replace(registry, pointers, COUNT);
    need_all(registry, 0, COUNT);
    /* others; fewer; with room for more than there are, none */
    registry_replace(registry, pointers + 2, 3);
    need_all(registry, 2, 3);
    assert_int_equal(registry_reserve(registry, 1), 0);
    registry_replace(registry, pointers + 1, COUNT - 1);
    need_all(registry, 1, COUNT - 1);
    registry_replace(registry, NULL, 0);
    need_all(registry, 0, 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(vms[i].freed, 0);
}

static void its_vms_end_with_it(void **state)
{
    struct registry *registry = *state;

    assert_int_equal(registry_reserve(registry, 2), 0);
    registry_replace(registry, pointers, 2);
    assert_int_equal(registry_retire(registry, &vms[3]), 0);
    assert_int_equal(registry_retire(registry, &vms[4]), 0);
    assert_null(registry_free(registry));
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(vms[i].freed, i < 2 || i == 3 || i == 4);
    assert_null(registry_free(NULL));
    *state = NULL;
}

static void one_that_leaves_is_found_as_such_alone(void **state)
{
    struct registry *registry = *state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(registry_retire(registry, &vms[i]), 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_ptr_equal(registry_find_retired(registry, vms[i].config.id), i < 3 ? &vms[i] : NULL);
    need_all(registry, 0, 0);
    registry_forget_retired(registry, NULL);
    registry_forget_retired(registry, &vms[1]);
    assert_null(registry_find_retired(registry, vms[1].config.id));
    assert_int_equal(vms[1].freed, 1);
    registry_forget_retired(registry, &vms[2]);
    assert_ptr_equal(registry_find_retired(registry, vms[0].config.id), &vms[0]);
    registry_forget_retired(registry, &vms[0]);
    assert_null(registry_find_retired(registry, vms[0].config.id));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_is_found_by_each_of_its_names),
        TEST(its_vms_end_with_it),
        TEST(one_that_leaves_is_found_as_such_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
