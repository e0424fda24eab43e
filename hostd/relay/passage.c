/* passage: one way between two connections, for one message at a time. */
#include "passage.h"

#include <errno.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_begun(const struct passage *passage)
{
    return passage->is_whole || passage->message.received > 0;
}

static void wait_for(struct passage *passage, int64_t ms)
{
    passage->deadline_ms = now_ms() + ms;
}

int passage_read(struct passage *passage, int from)
{
    bool was_begun = is_begun(passage);
    int r = vhost_user_receive(from, &passage->message);

    passage->is_whole = r > 0;
    if (passage->is_whole || is_begun(passage) != was_begun)
        wait_for(passage, PASSAGE_PATIENCE_MS);
    return r;
}

void passage_await(struct passage *passage)
{
    if (is_begun(passage))
        return;
    passage->is_awaited = true;
    wait_for(passage, PASSAGE_ANSWER_MS);
}

void passage_put(struct passage *passage, const struct vhost_user_message *message)
{
    passage_clear(passage);
    passage->message = *message;
    passage->is_whole = true;
    wait_for(passage, PASSAGE_PATIENCE_MS);
}

int passage_write(struct passage *passage, int to)
{
    int r = passage->is_whole ? vhost_user_send(to, &passage->message) : -EAGAIN;

    if (r == -EAGAIN)
        return 0;
    passage_clear(passage);
    return r;
}

int passage_timeout(const struct passage *passage)
{
    int64_t left = passage->deadline_ms - now_ms();

    if (!is_begun(passage) && !passage->is_awaited)
        return -1;
    return left > 0 ? (int)left : 0;
}

void passage_clear(struct passage *passage)
{
    vhost_user_close(&passage->message);
    passage->is_whole = passage->is_awaited = false;
}
