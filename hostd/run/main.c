/*
 * guestlink-run-qemu: becomes the QEMU of a VM, with what its guest must not decide set before.
 *
 *   guestlink-run-qemu CID CONSOLE-LOG BYTES QEMU [ARGUMENT]...
 *
 *   descriptor 1: /dev/vhost-vsock, open; systemd opens it, for QEMU's user cannot
 *
 * QEMU finds that device at descriptor 3, with its CID set (vhostfd=3), and at descriptor 4 a pipe
 * for its console (logfile=/dev/fd/4); a process beside it writes that into CONSOLE-LOG and
 * CONSOLE-LOG.1, each of at most BYTES bytes, and ends with QEMU.
 *
 * Exit status, as long as there is no QEMU: 1 (failed), 2 (usage), 126, 127 (no such program).
 */
#include "base/streams.h"
#include "console_log.h"
#include "guest_cid.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VSOCK_FD = 3, CONSOLE_FD = 4 };
enum { EXIT_USAGE = 2, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };
enum { CID, LOG, BYTES, QEMU, WORDS };

_Noreturn static void fail(const char *what, const char *value, int error)
{
    fprintf(stderr, "guestlink-run-qemu: cannot %s \"%s\": %s; not starting QEMU\n", what, value,
            strerrordesc_np(error));
    exit(EXIT_FAILURE);
}

static uint64_t read_number(const char *word, uint64_t max)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(word, &end, 10);
    if (errno == 0 && end != word && *end == '\0' && word[0] != '-' && number <= max)
        return number;
    fprintf(stderr,
            "guestlink-run-qemu: \"%s\" is not a number up to %" PRIu64 "; not starting QEMU\n",
            word, max);
    exit(EXIT_USAGE);
}

static void place(int from, int to)
{
    if (from != to && (dup2(from, to) < 0 || close(from) < 0))
        fail("move", "a descriptor", errno);
}

static void set_cid(const char *word)
{
    int r = guest_cid_set(STDOUT_FILENO, (uint32_t)read_number(word, UINT32_MAX));

    if (r == -EADDRINUSE)
        fprintf(stderr,
                "guestlink-run-qemu: another VM that runs on this host has the CID %s: stop it, or "
                "give one of the two another CID in its .conf file and in hostd.json\n",
                word);
    if (r == -ENOTTY)
        fprintf(stderr, "guestlink-run-qemu: descriptor 1 is not /dev/vhost-vsock; "
                        "guestlink-vm@.service starts this program\n");
    if (r < 0)
        fail("set the guest's CID", word, -r);
}

/* The logger's own end of the pipe, and nothing else: not the VM's vsock device. */
_Noreturn static void keep_log(const char *path, uint64_t bytes, int pipe)
{
    struct console_log log;
    int r;

    place(pipe, STDIN_FILENO);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    r = console_log_open(&log, path, bytes);
    if (r < 0)
        fail("write the console's log", path, -r);
    console_log_copy(&log, STDIN_FILENO);
    console_log_close(&log);
    exit(EXIT_SUCCESS);
}

/* @return the pipe's end that QEMU writes to */
static int start_log(const char *path, uint64_t bytes)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends) < 0)
        fail("create a pipe for", path, errno);
    pid = fork();
    if (pid < 0)
        fail("start what writes", path, errno);
    if (pid == 0) {
        (void)close(ends[1]);
        keep_log(path, bytes, ends[0]);
    }
    (void)close(ends[0]);
    return ends[1];
}

int main(int argc, char *argv[])
{
    char **words = argv + 1;
    uint64_t bytes;
    int console, vsock, r;

    if (streams_open() < 0)
        return EXIT_FAILURE;
    if (argc <= WORDS) {
        fprintf(stderr, "usage: guestlink-run-qemu CID CONSOLE-LOG BYTES QEMU [ARGUMENT]...\n");
        return EXIT_USAGE;
    }
    bytes = read_number(words[BYTES], UINT64_MAX);
    set_cid(words[CID]);
    console = start_log(words[LOG], bytes);

    vsock = fcntl(STDOUT_FILENO, F_DUPFD, CONSOLE_FD + 1);
    console = vsock < 0 ? -1 : fcntl(console, F_DUPFD, CONSOLE_FD + 1);
    if (console < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        fail("move", "a descriptor", errno);
    place(vsock, VSOCK_FD);
    place(console, CONSOLE_FD);
    (void)close_range(CONSOLE_FD + 1, ~0U, 0);

    r = guest_cid_seal();
    if (r < 0)
        fail("keep QEMU from changing the CID", words[CID], -r);
    (void)execvp(words[QEMU], words + QEMU);
    r = errno;
    fprintf(stderr, "guestlink-run-qemu: cannot run \"%s\": %s\n", words[QEMU], strerrordesc_np(r));
    return r == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
