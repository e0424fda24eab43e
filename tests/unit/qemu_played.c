/* hostd devices played: a QEMU that says what a test wants, for what a real one never says. */
#include "qemu_played.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HEARD      ".heard" /* behind the socket's path: the file of what it heard */
#define HEARD_MAX  8192u
#define PATIENCE_S 60u

#define LINES_MAX 32u

static size_t expected_bytes; /* of what the one that was started last heard */

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

/* Notes a command; JSON as json-c writes it has `\\/` for a slash. */
static void note(FILE *heard, const char *command, const char *line)
{
    const char *at = strstr(line, "\"arguments\":");
    const char *end = strrchr(line, '}');

    if (strcmp(command, "qmp_capabilities") == 0)
        return;
    (void)fputs(command, heard);
    if (at)
        (void)fputc(' ', heard);
    for (at = at ? at + strlen("\"arguments\":") : end; at < end; at++)
        if (at[0] != '\\' || at[1] != '/')
            (void)fputc(*at, heard);
    (void)fputc('\n', heard);
    (void)fflush(heard);
}

static void converse(int fd, const struct played_line *lines, bool used[LINES_MAX], FILE *heard)
{
    FILE *in = fdopen(dup(fd), "r"), *out = fdopen(fd, "w");
    const char *words = find(lines, used, PLAYED_GREETING, PLAYED_VERSION("10"));
    char *line = NULL, command[64], id[64];
    size_t capacity = 0;

    say(out, words, "0");
    while (getline(&line, &capacity, in) > 0) {
        pick(line, "\"execute\":\"", command);
        pick(line, "\"id\":", id);
        note(heard, command, line);
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
    char name[sizeof(address.sun_path) + sizeof(HEARD)];
    FILE *heard;
    int fd;
    pid_t pid;

    (void)snprintf(name, sizeof(name), "%s" HEARD, path);
    (void)unlink(name);
    expected_bytes = 0;
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
    heard = fopen(name, "ae");
    if (!heard)
        abort();
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        converse(fd, lines, used, heard);
    _exit(0);
}

void played_stop(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* @return what it heard behind what was expected so far, of at most @p size bytes */
static const char *read_heard(const char *path, char *buffer, size_t size)
{
    char name[256];
    FILE *file;

    (void)snprintf(name, sizeof(name), "%s" HEARD, path);
    file = fopen(name, "re");
    if (file && fseek(file, (long)expected_bytes, SEEK_SET) == 0)
        size = fread(buffer, 1, size, file);
    if (file)
        (void)fclose(file);
    buffer[file ? size : 0] = '\0';
    return buffer;
}

void played_expect(const char *path, const char *expected)
{
    char heard[HEARD_MAX];
    size_t size = strlen(expected);

    assert_in_range(size, 0, sizeof(heard) - 1);
    for (unsigned i = 0; i < PATIENCE_S * 100; i++) {
        if (strlen(read_heard(path, heard, size)) == size)
            break;
        (void)usleep(10000);
    }
    assert_string_equal(heard, expected);
    expected_bytes += size;
}

void played_expect_no_more(const char *path)
{
    char heard[HEARD_MAX];

    assert_string_equal(read_heard(path, heard, sizeof(heard) - 1), "");
}
