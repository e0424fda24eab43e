/* wait: what ends a wait for a device. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/work/wait.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A rescan of the bus is this machine's own: it is taken by the linker. */
static unsigned rescans;

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    assert_string_equal(path, "/sys/bus/pci/rescan");
    assert_string_equal(text, "1");
    rescans++;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    rescans = 0;
    return 0;
}

static void the_bus_is_looked_at_once_before_the_deadline(void **state)
{
    const struct modules_late late = {0};
    WAIT_END struct wait wait = wait_begin(&late, 20);

    (void)state;
    assert_true(wait.uevents >= 0);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), 0);
    assert_int_equal(rescans, 1);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), -ETIMEDOUT);
    assert_true(clock_now_ns() >= wait.end_ns);
    assert_int_equal(rescans, 1);
}

static void the_end_of_the_loader_is_a_reason_to_try_again(void **state)
{
    struct modules_late late = {.loader = fork()};
    struct wait wait;

    (void)state;
    if (late.loader == 0)
        _exit(0);
    assert_true(late.loader > 0);
    wait = wait_begin(&late, 60000);
    assert_true(wait.loader >= 0);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), 0);
    assert_int_equal(wait.loader, -1);
    assert_int_equal(rescans, 0);
    wait_loader(late.loader, clock_in_ms(60000));
    wait_end(&wait);
    assert_int_equal(waitpid(late.loader, NULL, 0), late.loader);
}

static void what_cannot_listen_says_why(void **state)
{
    struct wait wait = {.uevents = -EMFILE, .loader = -1};

    (void)state;
    assert_int_equal(wait_next(&wait, "virtio"), -EMFILE);
    wait_end(&wait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_bus_is_looked_at_once_before_the_deadline, set_up),
        cmocka_unit_test_setup(the_end_of_the_loader_is_a_reason_to_try_again, set_up),
        cmocka_unit_test_setup(what_cannot_listen_says_why, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
