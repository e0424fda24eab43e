/*
 * relay: passes messages between QEMU and a virtiofsd, and puts a second one in the place of one
 * that died.
 */
#include "relay.h"

#include "keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn void relay_end_as(const struct relay *relay, int status)
{
    const struct rlimit none = {0, 0};
    int fd = -1;

    /* The second one's end is nobody's news, and the file may be a successor's by now. */
    if (!relay->second)
        fd = open(relay->end_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        (void)dprintf(fd, "%s %d\n", WIFSIGNALED(status) ? "signal" : "status",
                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));

    if (WIFSIGNALED(status)) {
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

void relay_note(struct relay *relay, const struct vhost_user_message *message)
{
    if (session_note(&relay->session, message) < 0)
        (void)dprintf(STDERR_FILENO, "relay: message %u could not be remembered\n",
                      message->request);
    if (vhost_user_has_answer(message)) {
        relay->asked = *message;
        relay->asked.fd_count = 0;
        relay->is_asked = true;
    }
}

/* Passes on one message of QEMU's. @return false at QEMU's end */
static bool relay_question(struct relay *relay)
{
    struct vhost_user_message message;

    if (vhost_user_receive(relay->qemu, &message) <= 0)
        return false;
    keeper_tell(relay->keeper, &message);
    relay_note(relay, &message);
    (void)vhost_user_send(relay->backend.fd, &message); /* its end is noticed by itself */
    vhost_user_close(&message);
    return true;
}

/* Passes on one message of virtiofsd's. @return false at virtiofsd's end */
static bool relay_answer(struct relay *relay)
{
    struct vhost_user_message message;

    if (vhost_user_receive(relay->backend.fd, &message) <= 0)
        return false;
    relay->is_asked = false;
    keeper_tell_answered(relay->keeper);
    (void)vhost_user_send(relay->qemu, &message);
    vhost_user_close(&message);
    return true;
}

void relay_begin_second(struct relay *relay)
{
    int r;

    relay->second = true;
    r = backend_start(relay->socket, relay->argv, true, &relay->backend);
    if (r == 0)
        r = session_replay(&relay->session, relay->backend.fd);
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "relay: no second virtiofsd could be set up: %s\n",
                      strerrordesc_np(-r));
        _exit(1);
    }
    if (relay->is_asked)
        (void)vhost_user_send(relay->backend.fd, &relay->asked);
}

/* The process that the daemon watches ends as the first virtiofsd did; this one goes on. */
static void replace_backend(struct relay *relay)
{
    int status = backend_end(&relay->backend);

    if (relay->second || relay->qemu < 0)
        relay_end_as(relay, status);
    keeper_tell_ended(relay->keeper, status);
    relay->keeper = -1;
    relay_begin_second(relay);
}

void relay_run(struct relay *relay)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = relay->backend.pidfd, .events = POLLIN},
            {.fd = relay->backend.fd, .events = POLLIN},
            {.fd = relay->qemu >= 0 ? relay->qemu : RELAY_LISTENER, .events = POLLIN},
            /* without a keeper and without QEMU, nobody will ever come */
            {.fd = relay->qemu < 0 ? relay->keeper : -1, .events = 0},
        };

        if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
            continue;
        if (fds[1].revents && relay->qemu >= 0) {
            if (!relay_answer(relay))
                replace_backend(relay);
        } else if (fds[0].revents || fds[1].revents) {
            replace_backend(relay);
        } else if (fds[2].revents && relay->qemu < 0) {
            relay->qemu = accept4(RELAY_LISTENER, NULL, NULL, SOCK_CLOEXEC);
            keeper_tell_qemu(relay->keeper, relay->qemu);
        } else if (fds[3].revents || (fds[2].revents && !relay_question(relay))) {
            (void)backend_end(&relay->backend);
            return;
        }
    }
}
