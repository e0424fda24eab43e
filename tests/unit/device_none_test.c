/* device none: says yes to everything, and never from inside the call. */
#include "descriptors.h"
#include "device_support.h"

static const struct device_share share = {.tag = "c", .path = "/srv", .options = "vmId=x"};

static void every_operation_succeeds_later(void **state)
{
    struct devices *devices = *state;
    struct config_network network = {.id = "eth0"};
    const struct device_adapter adapter = {.network = &network, .options = ""};

    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_true(device_host_is_up(devices->host));
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(devices_remove_adapter(devices, "eth0"), 0);
}

static void open_operations_are_canceled_at_the_end(void **state)
{
    struct devices *devices = *state;

    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    devices->host = device_host_free(devices->host);
    assert_int_equal(devices->dones, 1);
    assert_int_equal(devices->outcome.error, ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_operation_succeeds_later, devices_set_up,
                                        devices_tear_down),
        cmocka_unit_test_setup_teardown(open_operations_are_canceled_at_the_end, devices_set_up,
                                        devices_tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
