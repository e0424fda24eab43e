/* notify: tells a VM manager that knows systemd's convention. */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/fd.h"
#include "base/kmsg_log.h"
#include "kernel/credential.h"
#include "link/host_address.h"

#define MESSAGE_SIZE 1024u

struct message {
    pid_t modules; /* loads what the credential may be read by; 0: nobody does any more */
    char text[MESSAGE_SIZE];
};

int notify_parse_address(const char *text, struct notify_address *ret)
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
        *ret = (struct notify_address){
            .type = kinds[i].type, .cid = address.cid, .port = address.port};
        return 0;
    }
    return -EINVAL;
}

static int send_by(const struct notify_address *address, int type, const char *message)
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
static int read_credential(pid_t modules, char *text, size_t capacity)
{
    int r = credential_read("vmm.notify_socket", text, capacity);

    if (r < 0 && modules > 0) {
        FD_CLOSE int fd = (int)syscall(SYS_pidfd_open, modules, 0);

        if (fd >= 0)
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, INIT_MODULES_MS);
        r = credential_read("vmm.notify_socket", text, capacity);
    }
    return r;
}

/* One message is one datagram, or one connection. */
static void work(const void *argument, struct report *report)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
    const struct message *message = argument;
    struct notify_address address;
    char text[128];
    int r = -EPROTONOSUPPORT;

    if (read_credential(message->modules, text, sizeof(text)) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (notify_parse_address(text, &address) < 0) {
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

static void done(struct job *job, const struct report *report)
{
    (void)job;
    if (report->error != 0)
        kmsg_log(LOG_INFO, "%s", report->text);
}

static void start(struct jobs *jobs, const struct message *message)
{
    const struct job_order order = {
        .name = "notifying the VM manager",
        .work = work,
        .argument = message,
        .timeout_ms = INIT_NOTIFY_MS + (message->modules > 0 ? INIT_MODULES_MS : 0),
        .done = done,
    };

    if (jobs_start(jobs, &order) < 0)
        kmsg_log(LOG_WARNING, "no child to notify the VM manager");
}

void notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t modules)
{
    struct message message = {.modules = modules};
    char hostname[65] = "";

    (void)gethostname(hostname, sizeof(hostname) - 1);
    (void)snprintf(message.text, sizeof(message.text),
                   "READY=1\nSTATUS=Ready\nX_GUESTLINK_HOSTNAME=%s\n"
                   "X_GUESTLINK_VERSION=" GUESTLINK_VERSION "\n"
                   "X_GUESTLINK_STARTED_NS=%" PRIu64 "\nX_GUESTLINK_WELCOMED_NS=%" PRIu64 "\n"
                   "X_GUESTLINK_MOUNTED_NS=%" PRIu64 "\nX_GUESTLINK_NETWORK_NS=%" PRIu64 "\n"
                   "X_GUESTLINK_PAYLOAD_NS=%" PRIu64 "\nX_GUESTLINK_READY_NS=%" PRIu64 "\n",
                   hostname, timings->started_ns, timings->welcomed_ns, timings->mounted_ns,
                   timings->network_ns, timings->payload_ns, timings->ready_ns);
    start(jobs, &message);
}

void notify_stopping(struct jobs *jobs, const char *how)
{
    struct message message = {.modules = 0};

    (void)snprintf(message.text, sizeof(message.text),
                   "STOPPING=1\nSTATUS=Stopping: %s\nX_GUESTLINK_SHUTDOWN=%s\n", how, how);
    start(jobs, &message);
}
