/* kmsg_log: what PID 1 says, to the kernel's log and to the host. */
#include "kmsg_log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "limits.h"

static struct {
    int fd;
    int level;
    uint64_t filled_ns; /* when the tokens were last counted */
    uint32_t tokens;
    uint32_t dropped;
    kmsg_log_sink *sink;
    void *context;
} log_state = {.fd = -1, .level = LOG_INFO, .tokens = INIT_LOG_BURST};

void kmsg_log_open(void)
{
    log_state.fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

void kmsg_log_set_level(int level)
{
    log_state.level = level;
}

void kmsg_log_set_sink(kmsg_log_sink *sink, void *context)
{
    log_state.sink = sink;
    log_state.context = context;
}

static bool take_token(void)
{
    uint64_t now = clock_now_ns();
    uint64_t more = (now - log_state.filled_ns) * INIT_LOG_PER_SECOND / CLOCK_NS_PER_S;

    if (more > 0) {
        log_state.filled_ns = now;
        log_state.tokens = more + log_state.tokens > INIT_LOG_BURST
                               ? INIT_LOG_BURST
                               : log_state.tokens + (uint32_t)more;
    }
    if (log_state.tokens == 0)
        return false;
    log_state.tokens--;
    return true;
}

/* A line of the kernel's log is one write; its controls are made harmless here, because texts in
 * it may come from the host. */
static size_t compose(char *line, size_t capacity, int level, const char *text)
{
    char kept_back[48] = "";
    int n;

    if (log_state.dropped > 0)
        (void)snprintf(kept_back, sizeof(kept_back), " (dropped %u lines before this)",
                       log_state.dropped);
    /* LOG_DAEMON: the kernel takes facility and level from the prefix */
    n = snprintf(line, capacity, "<%d>guestlink-init: %s%s", LOG_DAEMON | level, text, kept_back);
    if (n < 0)
        return 0;
    if ((size_t)n >= capacity)
        n = (int)capacity - 1;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    return (size_t)n;
}

void kmsg_log(int level, const char *format, ...)
{
    char text[INIT_TEXT_SIZE];
    char line[INIT_TEXT_SIZE + 96];
    va_list arguments;
    size_t size;

    if (level > log_state.level)
        return;
    if (!take_token()) {
        log_state.dropped++;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    size = compose(line, sizeof(line) - 1, level, text);
    /* The kernel keeps a line without an end back, from the console too, until somebody says
     * another: it may be continued. */
    line[size++] = '\n';
    (void)!write(log_state.fd >= 0 ? log_state.fd : STDERR_FILENO, line, size);
    if (log_state.sink)
        log_state.sink(log_state.context, level, log_state.dropped, text);
    log_state.dropped = 0;
}
