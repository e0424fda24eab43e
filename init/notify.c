/* notify: tells a VM manager that the guest is up, and that it goes down. */
#include "notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/kmsg_log.h"
#include "work/manager.h"

static void done(struct job *job, const struct report *report)
{
    (void)job;
    if (report->error != 0)
        kmsg_log(LOG_INFO, "%s", report->text);
}

static void start(struct jobs *jobs, const struct manager_message *message)
{
    const struct job_order order = {
        .name = "notifying the VM manager",
        .work = manager_notify,
        .argument = message,
        .timeout_ms = INIT_NOTIFY_MS + (message->loader > 0 ? INIT_MODULES_MS : 0),
        .done = done,
    };

    if (jobs_start(jobs, &order) < 0)
        kmsg_log(LOG_WARNING, "cannot start a process to notify the VM manager");
}

void notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t loader)
{
    struct manager_message message = {.loader = loader};
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
    struct manager_message message = {.loader = 0};

    (void)snprintf(message.text, sizeof(message.text),
                   "STOPPING=1\nSTATUS=Stopping: %s\nX_GUESTLINK_SHUTDOWN=%s\n", how, how);
    start(jobs, &message);
}
