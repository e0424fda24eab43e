/* loop: timers in their order, sources that may go at any time. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char order[16];

struct named_timer {
    struct loop_timer timer;
    char name;
};

static void on_timer(struct loop_timer *timer)
{
    const struct named_timer *named = LOOP_OWNER(timer, struct named_timer, timer);

    order[strlen(order)] = named->name;
}

static void timers_run_in_the_order_of_their_times(void **state)
{
    struct named_timer a = {{.expired = on_timer}, 'a'}, b = {{.expired = on_timer}, 'b'},
                       c = {{.expired = on_timer}, 'c'};
    uint64_t now = clock_now_ns();
    struct loop loop;

    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    loop_arm(&loop, &a.timer, now + 30 * CLOCK_NS_PER_MS);
    loop_arm(&loop, &b.timer, now + 10 * CLOCK_NS_PER_MS);
    loop_arm(&loop, &c.timer, now + 20 * CLOCK_NS_PER_MS);
    loop_arm(&loop, &a.timer, now + 5 * CLOCK_NS_PER_MS); /* anew */
    loop_disarm(&loop, &c.timer);
    loop_disarm(&loop, &c.timer); /* twice is harmless */
    while (loop.timers)
        loop_turn(&loop);
    assert_string_equal(order, "ab");
    memset(order, 0, sizeof(order));
    loop_arm(&loop, &c.timer, now + 1); /* of the same time: as they were armed */
    loop_arm(&loop, &a.timer, now + 1);
    loop_arm(&loop, &b.timer, now + 1);
    while (loop.timers)
        loop_turn(&loop);
    assert_string_equal(order, "cab");
    (void)fd_close(loop.epoll_fd);
}

struct reader {
    struct loop_source source;
    unsigned runs;
};

static void on_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    LOOP_OWNER(source, struct reader, source)->runs++;
}

static void a_source_that_is_watched_for_nothing_does_not_run(void **state)
{
    struct reader reader = {.source.ready = on_ready};
    struct named_timer end = {{.expired = on_timer}, 'e'};
    struct loop loop;
    int ends[2];

    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(pipe(ends), 0);
    reader.source.fd = ends[0];
    assert_int_equal(loop_add(&loop, &reader.source, EPOLLIN), 0);
    (void)close(ends[1]); /* EPOLLHUP, which cannot be masked */
    loop_turn(&loop);
    assert_int_equal(reader.runs, 1);
    loop_watch(&loop, &reader.source, 0);
    loop_arm(&loop, &end.timer, clock_in_ms(5));
    loop_turn(&loop);
    assert_int_equal(reader.runs, 1);
    loop_watch(&loop, &reader.source, EPOLLIN);
    loop_turn(&loop);
    assert_int_equal(reader.runs, 2);
    loop_close(&loop, &reader.source);
    assert_int_equal(reader.source.fd, -1);
    loop_close(&loop, &reader.source);
    (void)fd_close(loop.epoll_fd);
}

static void one_source_may_be_awaited_alone(void **state)
{
    struct reader reader = {.source.ready = on_ready};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    reader.source.fd = ends[0];
    assert_false(loop_await(&reader.source, EPOLLIN, 0));
    assert_int_equal(reader.runs, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(loop_await(&reader.source, EPOLLIN, 10000));
    assert_int_equal(reader.runs, 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_the_order_of_their_times),
        cmocka_unit_test(a_source_that_is_watched_for_nothing_does_not_run),
        cmocka_unit_test(one_source_may_be_awaited_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
