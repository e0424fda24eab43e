/* hostd devices played: a QEMU that says what a test wants, for what a real one never says. */
#include "qemu_played.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES_MAX 32u

static void say(FILE *stream, const char *words, const char *id)
{
    for (; *words; words++) {
        if (*words == '$')
            (void)fputs(id, stream);
        else
            (void)fputc(*words, stream);
    }
    (void)fflush(stream);
}

/* @return the words for a command, or the usual ones; NULL: none */
static const char *find(const struct played_line *lines, bool used[LINES_MAX], const char *command,
                        const char *usual)
{
    const char *words = usual;

    for (size_t i = 0; lines[i].command; i++) {
        if (strcmp(lines[i].command, command) != 0)
            continue;
        words = lines[i].words;
        if (!used[i]) {
            used[i] = true;
            break;
        }
    }
    return words;
}

/* A string or number behind "KEY": of a line of JSON. */
static void pick(const char *line, const char *key, char buffer[64])
{
    const char *at = strstr(line, key);

    buffer[0] = '\0';
    if (at)
        (void)sscanf(at + strlen(key), "%63[^\",}]", buffer);
}

static void converse(int fd, const struct played_line *lines, bool used[LINES_MAX])
{
    FILE *in = fdopen(dup(fd), "r"), *out = fdopen(fd, "w");
    const char *words = find(lines, used, PLAYED_GREETING, PLAYED_VERSION("10"));
    char *line = NULL, command[64], id[64];
    size_t capacity = 0;

    say(out, words, "0");
    while (getline(&line, &capacity, in) > 0) {
        pick(line, "\"execute\":\"", command);
        pick(line, "\"id\":", id);
        words = find(lines, used, command, PLAYED_OK);
        if (!words)
            break;
        say(out, words, id);
    }
    free(line);
    (void)fclose(in);
    (void)fclose(out);
}

pid_t played_start(const char *path, const struct played_line *lines)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool used[LINES_MAX] = {false};
    int fd;
    pid_t pid;

    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1) < 0)
        abort();
    pid = fork();
    if (pid != 0) {
        (void)close(listener);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        converse(fd, lines, used);
    _exit(0);
}

void played_stop(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}
