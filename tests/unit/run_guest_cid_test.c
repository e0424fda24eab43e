/* guest CID: once it is sealed, a CID is not set, and whoever tries believes that it was. */
#include "descriptors.h"
#include "run/guest_cid.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_another_device_is_refused(void **state)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(guest_cid_set(fd, 7), -ENOTTY);
    assert_int_equal(close(fd), 0);
    assert_int_equal(guest_cid_set(-1, 7), -EBADF);
}

/* On what is no vhost-vsock device the kernel refuses it; if it succeeds, it was not asked. */
static int try_when_sealed(void)
{
    uint64_t cid = 7;
    int bytes;
    /* What the kernel does not look at must not make it another request. */
    unsigned long request = VHOST_VSOCK_SET_GUEST_CID | (unsigned long)1 << 40;

    if (guest_cid_seal() != 0)
        return 1;
    if (ioctl(STDIN_FILENO, VHOST_VSOCK_SET_GUEST_CID, &cid) != 0 || guest_cid_set(-1, 7) != 0)
        return 2;
    if (syscall(SYS_ioctl, -1, request, &cid) != 0)
        return 3;
    /* Other requests reach the kernel. */
    if (ioctl(-1, FIONREAD, &bytes) != -1 || errno != EBADF)
        return 4;
    if (ioctl(-1, VHOST_VSOCK_SET_RUNNING, &bytes) != -1 || errno != EBADF)
        return 5;
    return 0;
}

static void test_a_seal_holds(void **state)
{
    int status = -1;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try_when_sealed());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_device_is_refused),
        cmocka_unit_test(test_a_seal_holds),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
