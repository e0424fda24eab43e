/* The kernel's uevents: what is too long is cut, and every field ends. */
#include "fuzz.h"
#include "init/base/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct uevent event;

    if (uevent_parse((const char *)data, size, &event) != 0)
        return 0;
    FUZZ_CHECK(strnlen(event.action, sizeof(event.action)) < sizeof(event.action));
    FUZZ_CHECK(strnlen(event.subsystem, sizeof(event.subsystem)) < sizeof(event.subsystem));
    FUZZ_CHECK(strnlen(event.driver, sizeof(event.driver)) < sizeof(event.driver));
    FUZZ_CHECK(strnlen(event.devpath, sizeof(event.devpath)) < sizeof(event.devpath));
    (void)uevent_is_arrival(&event, "virtio");
    return 0;
}
