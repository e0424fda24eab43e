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

int passage_read(struct passage *passage, int from)
{
    bool begins = passage->message.received == 0;
    int r = vhost_user_receive(from, &passage->message);

    passage->is_whole = r > 0;
    if (begins || passage->is_whole)
        passage->deadline_ms = now_ms() + PASSAGE_PATIENCE_MS;
    return r;
}

void passage_put(struct passage *passage, const struct vhost_user_message *message)
{
    passage_clear(passage);
    passage->message = *message;
    passage->is_whole = true;
    passage->deadline_ms = now_ms() + PASSAGE_PATIENCE_MS;
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

    if (!is_begun(passage))
        return -1;
    return left > 0 ? (int)left : 0;
}

void passage_clear(struct passage *passage)
{
    vhost_user_close(&passage->message);
    passage->is_whole = false;
}
