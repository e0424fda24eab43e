/* vm owner: what a device host tells goes to the part of the VM that it is about. Those parts are
 * the test's (CMakeLists.txt). */
#include "device/device_host.h"
#include "vm/adapter.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct vm vm;
static struct virtio_device device;
static bool is_known; /* there is such a device */
static char told[256];

static void note(const struct vm *of, const char *what, const char *name, bool restored,
                 const char *text)
{
    size_t size = strlen(told);

    assert_ptr_equal(of, &vm);
    (void)snprintf(told + size, sizeof(told) - size, "%s %s%s: %s\n", what, name,
                   restored ? " restored" : "", text);
}

void __wrap_shares_lost(struct vm *of, const char *tag, bool restored, const char *text);
void __wrap_shares_lost(struct vm *of, const char *tag, bool restored, const char *text)
{
    note(of, "share lost", tag, restored, text);
}

void __wrap_shares_refused(struct vm *of, const char *tag, const char *reason);
void __wrap_shares_refused(struct vm *of, const char *tag, const char *reason)
{
    note(of, "share refused", tag, false, reason);
}

void __wrap_adapters_lost(struct vm *of, const char *id, bool restored, const char *text);
void __wrap_adapters_lost(struct vm *of, const char *id, bool restored, const char *text)
{
    note(of, "adapter lost", id, restored, text);
}

void __wrap_adapters_refused(struct vm *of, const char *id, const char *reason);
void __wrap_adapters_refused(struct vm *of, const char *id, const char *reason)
{
    note(of, "adapter refused", id, false, reason);
}

void __wrap_guest_clock_resumed(struct vm *of);
void __wrap_guest_clock_resumed(struct vm *of)
{
    note(of, "resumed", "", false, "");
}

struct virtio_device *__wrap_virtio_device_find(const struct vm *of,
                                                const struct attachment_kind *kind,
                                                const char *name);
struct virtio_device *
__wrap_virtio_device_find(const struct vm *of, const struct attachment_kind *kind, const char *name)
{
    note(of,
         kind == &share_kind     ? "a share's"
         : kind == &adapter_kind ? "an adapter's"
                                 : "?",
         name, false, "device");
    return is_known ? &device : NULL;
}

void __wrap_device_aperture_changed(struct virtio_device *changed);
void __wrap_device_aperture_changed(struct virtio_device *changed)
{
    assert_ptr_equal(changed, &device);
    note(&vm, "aperture", "changed", false, "");
}

static int set_up(void **state)
{
    (void)state;
    told[0] = '\0';
    is_known = true;
    return 0;
}

static void lost_and_refused_devices_are_told_apart(void **state)
{
    (void)state;
    vm_device_host_events.share_lost(&vm, "src", false, "killed");
    assert_string_equal(told, "share lost src: killed\n");
    told[0] = '\0';
    vm_device_host_events.share_lost(&vm, "src", true, "again");
    assert_string_equal(told, "share lost src restored: again\n");
    told[0] = '\0';
    vm_device_host_events.share_refused(&vm, "src", "no reason");
    assert_string_equal(told, "share refused src: no reason\n");
    told[0] = '\0';
    vm_device_host_events.adapter_lost(&vm, "eth0", true, "again");
    assert_string_equal(told, "adapter lost eth0 restored: again\n");
    told[0] = '\0';
    vm_device_host_events.adapter_lost(&vm, "eth0", false, "killed");
    assert_string_equal(told, "adapter lost eth0: killed\n");
    told[0] = '\0';
    vm_device_host_events.adapter_refused(&vm, "eth0", "no reason");
    assert_string_equal(told, "adapter refused eth0: no reason\n");
}

static void aperture_is_that_of_its_device(void **state)
{
    (void)state;
    vm_device_host_events.aperture_changed(&vm, "src");
    assert_string_equal(told, "a share's src: device\naperture changed: \n");
    told[0] = '\0';
    vm_device_host_events.adapter_aperture_changed(&vm, "eth0");
    assert_string_equal(told, "an adapter's eth0: device\naperture changed: \n");
    told[0] = '\0';
    is_known = false; /* it was removed meanwhile */
    vm_device_host_events.aperture_changed(&vm, "src");
    vm_device_host_events.adapter_aperture_changed(&vm, "eth0");
    assert_string_equal(told, "a share's src: device\nan adapter's eth0: device\n");
}

static void guest_that_goes_on_has_its_clock_set(void **state)
{
    (void)state;
    vm_device_host_events.resumed(&vm);
    assert_string_equal(told, "resumed : \n");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lost_and_refused_devices_are_told_apart),
        TEST(aperture_is_that_of_its_device),
        TEST(guest_that_goes_on_has_its_clock_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
