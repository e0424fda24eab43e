/*
 * strangers: what any user of a guest can do to its host's daemon: calls its port, says one byte
 * and is closed for it, over and over until it is killed, or for five minutes. As nobody, so that
 * no port below 1024 can be had.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define NOBODY 65534
#define PORT   50000u
#define LAST_S 300u

static void call(void)
{
    const struct sockaddr_vm host = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = PORT};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte = 'x';

    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&host, sizeof(host)) == 0 &&
        send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
        (void)!recv(fd, &byte, 1, 0);
    (void)close(fd);
}

int main(void)
{
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0) {
        perror("strangers: cannot become nobody");
        return 1;
    }
    (void)alarm(LAST_S);
    for (;;)
        call();
}
