/* link_support: a link that is UP over a socket pair. */
#include "link_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t bytes[4u * FRAME_SIZE_MAX];
static size_t used, taken;

static void ignore(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

int link_support_up(struct link *link, struct loop *loop)
{
    sigset_t pipe_signal;
    int ends[2];

    sigemptyset(&pipe_signal); /* as in PID 1: a peer that is gone is an error, not an end */
    sigaddset(&pipe_signal, SIGPIPE);
    assert_int_equal(sigprocmask(SIG_BLOCK, &pipe_signal, NULL), 0);
    memset(link, 0, sizeof(*link));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    link->loop = loop;
    link->state = LINK_UP;
    link->generation = 1;
    link->source = (struct loop_source){.fd = ends[0], .ready = ignore};
    link->device.fd = -1;
    link->out = (struct wire_writer){.data = link->out_bytes, .capacity = sizeof(link->out_bytes)};
    used = taken = 0;
    return ends[1];
}

void link_support_down(struct link *link, int host)
{
    loop_close(link->loop, &link->source);
    (void)close(host);
    link->state = LINK_DOWN;
}

bool link_support_take(int host, struct frame *ret)
{
    size_t size;
    ssize_t n;
    int r;

    memmove(bytes, bytes + taken, used - taken);
    used -= taken;
    taken = 0;
    while (used < sizeof(bytes) && (n = read(host, bytes + used, sizeof(bytes) - used)) > 0)
        used += (size_t)n;
    r = frame_decode(bytes, used, ret, &size);
    assert_true(r == 0 || r == FRAME_E_MORE);
    taken = r == 0 ? size : 0;
    return r == 0;
}
