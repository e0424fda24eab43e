/*
 * The device of guestlink-run-qemu where there is none: it says which CID it was given, or fails
 * with the errno that RUN_DEVICE_ERROR has.
 */
#include <errno.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    const char *error = getenv("RUN_DEVICE_ERROR");
    va_list arguments;
    const uint64_t *cid;

    va_start(arguments, request);
    cid = va_arg(arguments, const uint64_t *);
    va_end(arguments);
    if (fd != 1 || request != VHOST_VSOCK_SET_GUEST_CID)
        abort();
    (void)fprintf(stderr, "CID %llu\n", (unsigned long long)*cid);
    errno = error ? (int)strtol(error, NULL, 10) : 0;
    return error ? -1 : 0;
}
