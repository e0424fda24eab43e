/*
 * guestlink-virtiofs-relay: stands between QEMU and virtiofsd, so that a guest does not hang when
 * virtiofsd dies.
 *
 * What a guest asked of a virtiofsd that died is never answered, and its kernel waits for that for
 * ever, even when the device is taken away. The relay passes on the few messages with which QEMU
 * sets virtiofsd up (the data takes no part in it: virtiofsd works on the guest's memory itself)
 * and remembers them. When virtiofsd dies, a second one is set up in the same way. It does not know
 * the guest's mount and answers everything with an error: nothing hangs, and the device can be
 * removed.
 *
 *   descriptor 0: the path of a socket to use, and virtiofsd's command line, each ended by a NUL;
 *                 virtiofsd finds its listening socket as descriptor 3 (--fd=3)
 *   descriptor 2: for virtiofsd's words, too
 *   descriptor 3: the listening socket to which QEMU connects
 *
 * It ends as virtiofsd does: with its exit status, or by its signal. When virtiofsd dies while QEMU
 * is connected, a child goes on for as long as QEMU is.
 */
#include "backend.h"
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER 3
/* Two paths, and a few options. */
#define WORDS_SIZE 16384u
#define WORDS_MAX  64u

struct relay {
    char words[WORDS_SIZE];
    char *argv[WORDS_MAX + 1]; /* [0] is the socket's path, from [1] on it is virtiofsd's */
    struct backend backend;
    struct session session;
    struct vhost_user_message asked; /* the question that waits for its answer */
    bool is_asked;
    bool second; /* virtiofsd */
    int qemu;
};

static int read_words(struct relay *relay)
{
    size_t size = 0, count = 0;
    ssize_t n;

    while ((n = read(STDIN_FILENO, relay->words + size, sizeof(relay->words) - 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0 || size == sizeof(relay->words) - 1)
        return -EIO;
    for (char *word = relay->words; word < relay->words + size && count < WORDS_MAX;
         word += strlen(word) + 1)
        relay->argv[count++] = word;
    return count >= 2 ? 0 : -EINVAL;
}

/* Ends as another process did. */
_Noreturn static void end_as(int status)
{
    const struct rlimit none = {0, 0};

    if (WIFSIGNALED(status)) {
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

/* Passes on one message of QEMU's. @return false at QEMU's end */
static bool relay_question(struct relay *relay)
{
    struct vhost_user_message message;

    if (vhost_user_receive(relay->qemu, &message) <= 0)
        return false;
    if (session_note(&relay->session, &message) < 0)
        (void)dprintf(STDERR_FILENO, "relay: message %u could not be remembered\n",
                      message.request);
    if (vhost_user_has_answer(&message)) {
        relay->asked = message;
        relay->asked.fd_count = 0;
        relay->is_asked = true;
    }
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
    (void)vhost_user_send(relay->qemu, &message);
    vhost_user_close(&message);
    return true;
}

/* Sets up a second virtiofsd. The process that is waited for ends as the first one did. */
static void replace_backend(struct relay *relay)
{
    int status = backend_end(&relay->backend);
    pid_t pid;
    int r;

    /* For a daemon that is not our parent and cannot learn it otherwise. */
    (void)dprintf(STDERR_FILENO, "virtiofsd ended with %s %d\n",
                  WIFSIGNALED(status) ? "signal" : "exit status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    pid = relay->second || relay->qemu < 0 ? -1 : fork();
    if (pid != 0)
        end_as(status);
    relay->second = true;
    r = backend_start(relay->argv[0], relay->argv + 1, &relay->backend);
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

static void run(struct relay *relay)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = relay->backend.pidfd, .events = POLLIN},
            {.fd = relay->backend.fd, .events = POLLIN},
            {.fd = relay->qemu >= 0 ? relay->qemu : LISTENER, .events = POLLIN},
        };

        if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
            continue;
        if (fds[1].revents && relay->qemu >= 0) {
            if (!relay_answer(relay))
                replace_backend(relay);
        } else if (fds[0].revents || fds[1].revents) {
            replace_backend(relay);
        } else if (fds[2].revents && relay->qemu < 0) {
            relay->qemu = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
        } else if (fds[2].revents && !relay_question(relay)) {
            (void)backend_end(&relay->backend);
            return;
        }
    }
}

int main(void)
{
    static struct relay relay = {.backend = {.pid = -1, .pidfd = -1, .fd = -1}, .qemu = -1};
    int r;

    r = read_words(&relay);
    if (r == 0)
        r = backend_start(relay.argv[0], relay.argv + 1, &relay.backend);
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "relay: virtiofsd cannot be started: %s\n",
                      strerrordesc_np(-r));
        return 125;
    }
    run(&relay);
    return 0;
}
