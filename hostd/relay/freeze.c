/* freeze: stops all that the relay has started, so that nothing of it runs. */
#include "freeze.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct look {
    int signal;
    int64_t deadline_ms;
    FILE *seen; /* each thread, and how often it ran */
    unsigned depth;
    bool is_still;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* proc(5): a thread that runs and stops again has switched. */
static void see_thread(struct look *look, pid_t pid, const char *tid)
{
    char path[64], line[256], state = '?';
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, tid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (begins(line, "State:\t"))
            state = line[sizeof("State:\t") - 1];
        else if (begins(line, "voluntary_") || begins(line, "nonvoluntary_"))
            (void)fprintf(look->seen, "%s %s", tid, line);
    }
    if (file)
        (void)fclose(file);
    if (state != 'T' && state != 'Z' && state != 'X')
        look->is_still = false;
}

static void see_process(struct look *look, pid_t pid);

/* The children first: once they are seen, their parent is looked at, and has made no others. */
static void see_children(struct look *look, pid_t pid, const char *tid)
{
    char path[64], *line = NULL;
    size_t capacity = 0;
    FILE *file;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, tid);
    file = fopen(path, "re");
    n = file ? getdelim(&line, &capacity, '\0', file) : -1;
    if (file)
        (void)fclose(file);
    else
        look->is_still = false;
    for (char *rest = line, *word; n > 0 && (word = strsep(&rest, " ")) != NULL;)
        if (*word)
            see_process(look, (pid_t)strtol(word, NULL, 10));
    free(line);
}

static void see_threads(struct look *look, pid_t pid,
                        void (*see)(struct look *look, pid_t pid, const char *tid))
{
    char path[64];
    struct dirent **entries;
    int count;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        look->is_still = false;
        return;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            see(look, pid, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void see_process(struct look *look, pid_t pid)
{
    if (pid <= 1 || look->depth == FREEZE_DEPTH_MAX || now_ms() >= look->deadline_ms) {
        look->is_still = false;
        return;
    }
    look->depth++;
    if (look->signal == SIGSTOP)
        (void)kill(pid, SIGSTOP);
    see_threads(look, pid, see_children);
    see_threads(look, pid, see_thread);
    if (look->signal != SIGSTOP) /* it may end at once, and then its children are not below it */
        (void)kill(pid, look->signal);
    look->depth--;
}

/* @param ret_seen  to be freed. @return true if all of them were stopped when they were seen */
static bool look_at_all(int signal, int64_t deadline_ms, char **ret_seen)
{
    struct look look = {.signal = signal, .deadline_ms = deadline_ms, .is_still = true};
    size_t size;

    *ret_seen = NULL;
    look.seen = open_memstream(ret_seen, &size);
    if (!look.seen)
        return false;
    see_threads(&look, getpid(), see_children);
    if (fclose(look.seen) != 0)
        look.is_still = false;
    return look.is_still;
}

int freeze(void)
{
    const int64_t deadline_ms = now_ms() + FREEZE_PATIENCE_MS;
    char *before = NULL, *seen;
    bool is_frozen = false;

    do {
        bool is_still = look_at_all(SIGSTOP, deadline_ms, &seen);

        is_frozen = is_still && before && seen && strcmp(before, seen) == 0;
        free(before);
        before = is_still ? seen : NULL;
        if (!is_still) {
            free(seen);
            (void)poll(NULL, 0, 1);
        }
    } while (!is_frozen && now_ms() < deadline_ms);
    free(before);
    return is_frozen ? 0 : -ETIMEDOUT;
}

void thaw(void)
{
    char *seen;

    (void)look_at_all(SIGCONT, now_ms() + FREEZE_PATIENCE_MS, &seen);
    free(seen);
}
