/* Calls PID 1's own port of the host without end, from ports that need no privilege: says a byte,
 * and nothing more, and keeps as many connections as it may. */
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PROCESSES 4
#define KEPT      200

int main(void)
{
    const struct sockaddr_vm host = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 50000};
    int kept[KEPT];

    for (int i = 1; i < PROCESSES; i++)
        if (fork() == 0)
            break;
    for (int i = 0; i < KEPT; i++)
        kept[i] = -1;
    for (unsigned i = 0;; i++) {
        int *place = &kept[i % KEPT];

        if (*place >= 0)
            (void)close(*place);
        *place = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(*place, (const struct sockaddr *)&host, sizeof(host)) == 0)
            (void)!write(*place, "G", 1);
    }
}
