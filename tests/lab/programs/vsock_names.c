/*
 * vsock_names: the vsock connections of another process, as getsockname() and getpeername() have
 * them: a line "LOCAL-PORT REMOTE-CID REMOTE-PORT" for each. For PID 1's, which keeps them to
 * itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define FILES 64

static void show(int fd)
{
    struct sockaddr_vm local = {0}, remote = {0};
    socklen_t local_size = sizeof(local), remote_size = sizeof(remote);

    if (getsockname(fd, (struct sockaddr *)&local, &local_size) == 0 &&
        local.svm_family == AF_VSOCK &&
        getpeername(fd, (struct sockaddr *)&remote, &remote_size) == 0)
        (void)printf("%u %u %u\n", local.svm_port, remote.svm_cid, remote.svm_port);
}

int main(int argc, char **argv)
{
    int process = argc == 2 ? (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0) : -1;

    if (process < 0) {
        perror("vsock_names: expected the PID of a process");
        return 1;
    }
    for (int number = 0; number < FILES; number++) {
        int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);

        if (fd >= 0) {
            show(fd);
            (void)close(fd);
        }
    }
    return 0;
}
