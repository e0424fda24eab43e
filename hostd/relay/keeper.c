/* keeper: the process that knows all that the relay knows, and takes its place if it is killed. */
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEEPER_QEMU = 0x10000,
    KEEPER_ANSWERED,
    KEEPER_ENDED,
};

void keeper_tell(int keeper, const struct vhost_user_message *message)
{
    if (keeper >= 0)
        (void)vhost_user_send(keeper, message);
}

void keeper_tell_qemu(int keeper, int qemu)
{
    if (qemu >= 0)
        keeper_tell(keeper, &(struct vhost_user_message){
                                .request = KEEPER_QEMU, .fds = {qemu}, .fd_count = 1});
}

void keeper_tell_answered(int keeper)
{
    keeper_tell(keeper, &(struct vhost_user_message){.request = KEEPER_ANSWERED});
}

void keeper_tell_ended(int keeper, int status)
{
    struct vhost_user_message message = {.request = KEEPER_ENDED, .size = sizeof(status)};

    memcpy(message.payload, &status, sizeof(status));
    keeper_tell(keeper, &message);
    if (keeper >= 0)
        (void)close(keeper);
}

static void take(struct relay *relay, struct vhost_user_message *message)
{
    int status;

    switch (message->request) {
    case KEEPER_QEMU:
        if (message->fd_count != 1)
            break;
        relay->qemu = message->fds[0];
        message->fd_count = 0;
        break;
    case KEEPER_ANSWERED:
        relay->is_asked = false;
        break;
    case KEEPER_ENDED:
        memcpy(&status, message->payload, sizeof(status));
        relay_end_as(relay, status);
    default:
        relay_note(relay, message);
    }
    vhost_user_close(message);
}

/* Returns in the process that takes the killed one's place. */
static void keep(struct relay *relay, int connection, pid_t worker)
{
    static struct vhost_user_message message;
    struct backend orphans = BACKEND_NULL;
    int status;

    while (vhost_user_receive(connection, &message) > 0)
        take(relay, &message);
    orphans.fd = connection;
    orphans.pid = worker;
    status = backend_end(&orphans);
    if (WIFEXITED(status) || relay->qemu < 0)
        relay_end_as(relay, status);
    (void)dprintf(STDERR_FILENO, "the relay was killed, and virtiofsd with it\n");
    if (fork() != 0)
        relay_end_as(relay, status);
    relay_begin_second(relay);
}

int keeper_split(struct relay *relay)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
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
    relay->keeper = pid == 0 ? ends[1] : -1;
    if (pid > 0)
        keep(relay, ends[0], pid);
    return 0;
}
