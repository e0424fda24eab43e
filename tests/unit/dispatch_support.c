/* dispatch_support: a guest whose host sends request 77, and hears what it is answered. */
#include "dispatch_support.h"
#include "init/base/fd.h"
#include "init/dispatch.h"
#include "link_support.h"
#include "protocol/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct guest dispatch_guest;
int dispatch_host;
static uint8_t bytes[4096];
struct wire_writer dispatch_writer;

int dispatch_set_up(void **state)
{
    (void)state;
    memset(&dispatch_guest, 0, sizeof(dispatch_guest));
    assert_int_equal(loop_init(&dispatch_guest.loop), 0);
    jobs_init(&dispatch_guest.jobs, &dispatch_guest.loop);
    dispatch_host = link_support_up(&dispatch_guest.link, &dispatch_guest.loop);
    dispatch_guest.processes.loop = &dispatch_guest.loop;
    dispatch_guest.processes.link = &dispatch_guest.link;
    dispatch_guest.processes.exits = &dispatch_guest.exits;
    processes_init(&dispatch_guest.processes);
    cmdline_parse("", &dispatch_guest.cmdline);
    dispatch_writer = (struct wire_writer){.data = bytes, .capacity = sizeof(bytes)};
    return 0;
}

int dispatch_tear_down(void **state)
{
    struct process *process = &dispatch_guest.processes.table[0];

    (void)state;
    loop_close(&dispatch_guest.loop, &process->exec);
    loop_close(&dispatch_guest.loop, &process->in);
    loop_close(&dispatch_guest.loop, &process->out[0]);
    loop_close(&dispatch_guest.loop, &process->out[1]);
    link_support_down(&dispatch_guest.link, dispatch_host);
    (void)fd_close(dispatch_guest.loop.epoll_fd);
    return 0;
}

void dispatch_send(uint16_t type)
{
    const struct frame frame = {
        .type = type, .id = 77, .payload = bytes, .length = (uint32_t)dispatch_writer.size};

    assert_null(dispatch_frame(&dispatch_guest, &frame));
    dispatch_writer.size = 0;
}

bool dispatch_is_quiet(void)
{
    struct frame frame;

    return !link_support_take(dispatch_host, &frame);
}

int dispatch_answer(void)
{
    struct result result;
    struct frame frame;

    assert_true(link_support_take(dispatch_host, &frame));
    assert_int_equal(frame.type, FRAME_RESULT);
    assert_int_equal(frame.flags, FRAME_FLAG_ANSWER);
    assert_int_equal(frame.id, 77);
    assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
    assert_int_equal(result.text.size != 0, result.error != 0); /* a failure has its reason */
    assert_true(dispatch_is_quiet());
    return (int)result.error;
}
