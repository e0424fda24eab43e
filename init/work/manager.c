/* manager: a message to a VM manager that knows systemd's convention. */
#include "manager.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "base/clock.h"
#include "base/fd.h"
#include "credential.h"
#include "link/host_address.h"
#include "wait.h"

int manager_parse_address(const char *text, struct manager_address *ret)
{
    static const struct {
        const char *prefix;
        int type;
    } kinds[] = {
        {"vsock:", 0},
        {"vsock-stream:", SOCK_STREAM},
        {"vsock-dgram:", SOCK_DGRAM},
        {"vsock-seqpacket:", SOCK_SEQPACKET},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size = strlen(kinds[i].prefix);
        struct host_address address;
        char plain[64];

        if (strncmp(text, kinds[i].prefix, size) != 0)
            continue;
        if ((size_t)snprintf(plain, sizeof(plain), "vsock:%s", text + size) >= sizeof(plain) ||
            host_address_parse(plain, &address) < 0)
            return -EINVAL;
        *ret = (struct manager_address){
            .type = kinds[i].type, .cid = address.cid, .port = address.port};
        return 0;
    }
    return -EINVAL;
}

static int send_by(const struct manager_address *address, int type, const char *message)
{
    const struct sockaddr_vm remote = {
        .svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->port};
    FD_CLOSE int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&remote, sizeof(remote)) < 0)
        return -errno;
    if (send(fd, message, strlen(message), MSG_NOSIGNAL) < 0)
        return -errno;
    return 0;
}

/* The kernel's readers of SMBIOS strings and of fw_cfg may be modules. @return 0 or -ENOENT */
static int read_credential(pid_t loader, char *text, size_t capacity)
{
    int r = credential_read("vmm.notify_socket", text, capacity);

    if (r < 0 && loader > 0) {
        wait_loader(loader, clock_in_ms(INIT_MODULES_MS));
        r = credential_read("vmm.notify_socket", text, capacity);
    }
    return r;
}

/* One message is one datagram, or one connection. */
void manager_notify(const void *argument, struct report *report)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
    const struct manager_message *message = argument;
    struct manager_address address;
    char text[128];
    int r = -EPROTONOSUPPORT;

    if (read_credential(message->loader, text, sizeof(text)) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (manager_parse_address(text, &address) < 0) {
        (void)report_fail(report, EINVAL, "vmm.notify_socket '%.80s': expected vsock:CID:PORT",
                          text);
        return;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && r < 0; i++)
        if (address.type == 0 || address.type == types[i])
            r = send_by(&address, types[i], message->text);
    if (r < 0)
        (void)report_fail(report, -r, "vmm.notify_socket '%.80s': %s", text, strerror(-r));
}
