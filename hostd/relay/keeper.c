/* keeper: the process that knows all that the relay knows, and takes its place if it is killed. */
#include "keeper.h"

#include "backend.h"
#include "end.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before a successor: whatever ends relays may end this one, too. */
#define PAUSE_US 100000

/*
 * Returns at the end of a relay that a successor is to follow.
 *
 * @return how the relay ended (waitpid(2))
 */
static int keep(struct journal *journal, const char *end_file, int connection, pid_t worker)
{
    struct backend orphans = BACKEND_NULL;
    enum journal_news news;
    int status = 0;

    do
        news = journal_hear(journal, connection, &status);
    while (news == JOURNAL_ENTRY);
    if (news == JOURNAL_ENDED)
        end_as(end_file, status);
    orphans.fd = connection;
    orphans.pid = worker;
    status = backend_end(&orphans);
    if (WIFEXITED(status) || journal->qemu < 0)
        end_as(end_file, status);
    return status;
}

/* @param ret_connection  of the keeper. @return fork(2)'s, or -errno */
static pid_t split(struct journal *journal, int *ret_connection)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    pid = fork();
    if (pid < 0) {
        int r = -errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return r;
    }
    (void)close(ends[pid == 0 ? 0 : 1]);
    journal->keeper = pid == 0 ? ends[1] : -1;
    *ret_connection = ends[0];
    return pid;
}

int keeper_split(struct journal *journal, const struct kind *kind, const char *end_file)
{
    enum keeper_role role = KEEPER_RELAY;

    /* What a killed relay leaves becomes the keeper's, which then ends it. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (;;) {
        int connection = -1, status;
        pid_t pid = split(journal, &connection);

        if (pid < 0)
            return pid;
        if (pid == 0)
            return (int)role;
        status = keep(journal, end_file, connection, pid);
        (void)dprintf(STDERR_FILENO, "the relay was killed, and %s with it\n", kind->name);
        role = KEEPER_SUCCESSOR;
        if (kind->revives) {
            (void)usleep(PAUSE_US);
            continue;
        }
        if (fork() != 0)
            end_as(end_file, status);
        return (int)role;
    }
}
