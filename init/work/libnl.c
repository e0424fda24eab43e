/* libnl: its start, which is none of PID 1's (layout.ld). */
#include "libnl.h"

#include <netlink/socket.h>

typedef void libnl_constructor(void);

/* Not there where libnl's constructors run by themselves, as they do without layout.ld. */
extern libnl_constructor *const libnl_constructors[] __attribute__((weak));
extern libnl_constructor *const libnl_constructors_end[] __attribute__((weak));

struct nl_sock *libnl_socket_alloc(void)
{
    for (libnl_constructor *const *next = libnl_constructors; next < libnl_constructors_end; next++)
        (*next)();
    return nl_socket_alloc();
}
