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

/* Returns in the process that takes the killed one's place. */
static void keep(struct journal *journal, const char *end_file, int connection, pid_t worker)
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
    (void)dprintf(STDERR_FILENO, "the relay was killed, and virtiofsd with it\n");
    if (fork() != 0)
        end_as(end_file, status);
}

int keeper_split(struct journal *journal, const char *end_file)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    /* What a killed relay leaves becomes the keeper's, which then ends it. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid = fork();
    if (pid < 0) {
        int r = -errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return r;
    }
    (void)close(ends[pid == 0 ? 0 : 1]);
    journal->keeper = pid == 0 ? ends[1] : -1;
    if (pid == 0)
        return KEEPER_RELAY;
    keep(journal, end_file, ends[0], pid);
    return KEEPER_SUCCESSOR;
}
