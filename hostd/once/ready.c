/* ready: the daemon's events, the supervisor's, and our signals, whichever comes first. */
#include "ready.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/say.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_MS 1000

/* From the start of QEMU until the guest is ready: an emulated one on a busy machine takes long. */
#define BOOT_MS 300000

/* Of a log's end, what is shown when a VM ends. */
#define LINES 15
#define BYTES 16384
#define PANIC "Kernel panic - not syncing"

static void socket_path(const struct plan *plan, char path[FOLDER_SIZE + 32])
{
    (void)snprintf(path, FOLDER_SIZE + 32, "%s/" FOLDER_CONTROL, plan->folder);
}

/* Up to @p end, which is the start of the next one, as a line of ours. */
static void show_line(char *line, const char *end)
{
    line[strcspn(line, "\r\n")] = '\0';
    if (line < end)
        say_sanitise(line);
    (void)fprintf(stderr, "  | %s\n", line);
}

/* The last lines of @p text; and before these the kernel's own reason, which may be further up.
 * @param size  not 0 */
static void show_lines(char *text, size_t size)
{
    char *end = text + size, *line = end, *reason;
    unsigned lines = 0;

    for (; line > text && lines < LINES; line--)
        lines += line[-1] == '\n';
    line += lines == LINES;
    reason = memmem(text, (size_t)(line - text), PANIC, sizeof(PANIC) - 1);
    if (reason != NULL)
        show_line(reason, end);
    while (line < end) {
        char *next = memchr(line, '\n', (size_t)(end - line));

        next = next != NULL ? next + 1 : end;
        show_line(line, next);
        line = next;
    }
}

/* @return false: there is nothing in it */
static bool show_last_lines(const struct plan *plan, const char *name)
{
    char path[FOLDER_SIZE + 32], text[BYTES + 1];
    struct stat status;
    ssize_t size = -1;
    FD fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", plan->folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, &status) == 0)
        size = pread(fd, text, BYTES, status.st_size > BYTES ? status.st_size - BYTES : 0);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size <= 0)
        return false;
    text[size] = '\0';
    show_lines(text, (size_t)size);
    return true;
}

int ready_tell_end(const struct plan *plan, int event)
{
    switch (event) {
    case SUPERVISOR_TIMED_OUT:
        say_error("the --timeout expired; stopped the VM");
        return READY_TIMED_OUT;
    case SUPERVISOR_NO_QEMU:
        say_error("the VM exited before the command; the last lines of its console:");
        if (!show_last_lines(plan, FOLDER_CONSOLE))
            say_error("(nothing; --verbose shows the whole boot)");
        say_error("the last lines of QEMU and of guestlink-hostd:");
        if (!show_last_lines(plan, FOLDER_LOG))
            say_error("(nothing)");
        return READY_NOT_STARTED;
    case SUPERVISOR_NO_DAEMON:
        say_error("guestlink-hostd exited; stopped the VM; the daemon's last lines:");
        (void)show_last_lines(plan, FOLDER_LOG);
        return READY_NOT_STARTED;
    default: /* the supervisor said why */
        return READY_NOT_STARTED;
    }
}

/* True if every share of the VM is mounted; says what is wrong with the others. */
static bool has_all(const struct plan *plan)
{
    char path[FOLDER_SIZE + 32];
    struct json_object *reply, *shares;
    bool all = true;

    socket_path(plan, path);
    reply = client_ask(path, "Show", command_vm_params(PLAN_VM));
    shares = json_member(json_member(reply, "vm"), "shares");
    for (size_t i = 0; i < json_count(shares); i++) {
        struct json_object *share = json_element(shares, i);

        if (strcmp(command_text(share, "state"), "in-use") == 0)
            continue;
        say_error("cannot share \"%s\": %s; the command was not started",
                  command_text(share, "path"), command_text(share, "error"));
        all = false;
    }
    if (shares == NULL)
        say_error("guestlink-hostd did not tell of the shares; the command was not started");
    all = all && shares != NULL;
    json_object_put(reply);
    return all;
}

/* @return true: the guest is ready; @param ret_status  of a connection that failed, else left */
static bool take_events(struct client *client, int *ret_status)
{
    struct json_object *reply = NULL;
    bool ready = false;
    int r;

    while (!ready && (r = client_receive(client, 0, &reply)) != -EAGAIN) {
        if (r < 0) {
            *ret_status = READY_NOT_STARTED;
            return false;
        }
        ready = strcmp(command_text(json_member(reply, "event"), "event"), "GuestReady") == 0;
        json_object_put(reply);
        reply = NULL;
    }
    return ready;
}

/* Before the control socket is there: @return 0, or the exit status */
static int wait_for_start(const struct plan *plan, struct supervisor *supervisor, int signals)
{
    struct pollfd pollers[] = {{.fd = supervisor->events, .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo info;
    int event;

    while (poll(pollers, 2, -1) < 0)
        if (errno != EINTR)
            return READY_NOT_STARTED;
    if (pollers[1].revents != 0)
        return read(signals, &info, sizeof(info)) == sizeof(info) ? 128 + (int)info.ssi_signo
                                                                  : READY_NOT_STARTED;
    event = supervisor_wait(supervisor, -1);
    return event == SUPERVISOR_STARTED ? 0 : ready_tell_end(plan, event);
}

static int tell_late(const struct plan *plan)
{
    say_error("the guest was not ready within %d s; stopped the VM; the last lines of its "
              "console:",
              BOOT_MS / 1000);
    (void)show_last_lines(plan, FOLDER_CONSOLE);
    return READY_NOT_STARTED;
}

static int wait_for_guest(const struct plan *plan, struct supervisor *supervisor, int signals,
                          struct client *client)
{
    struct pollfd pollers[] = {{.fd = supervisor->events, .events = POLLIN},
                               {.fd = signals, .events = POLLIN},
                               {.fd = client_fd(client), .events = POLLIN}};
    struct signalfd_siginfo info;
    uint64_t began = clock_now_us();
    int status = 0;

    for (int patience = PROGRESS_MS; status == 0;) {
        int n = poll(pollers, 3, patience);

        if (n == 0 && patience == PROGRESS_MS)
            tool_tell_progress("waiting for the guest");
        if (n == 0)
            patience = 2 * PROGRESS_MS;
        if (clock_now_us() - began > BOOT_MS * UINT64_C(1000))
            return tell_late(plan);
        if (n <= 0)
            continue;
        if (pollers[0].revents != 0)
            return ready_tell_end(plan, supervisor_wait(supervisor, -1));
        if (pollers[1].revents != 0 && read(signals, &info, sizeof(info)) == sizeof(info))
            return 128 + (int)info.ssi_signo;
        if (pollers[2].revents != 0 && take_events(client, &status))
            return has_all(plan) ? 0 : READY_NOT_STARTED;
    }
    /* The daemon closed: why, the supervisor hears in a moment. */
    return ready_tell_end(plan, supervisor_wait(supervisor, PROGRESS_MS));
}

int ready_wait(const struct plan *plan, struct supervisor *supervisor, int signals)
{
    char path[FOLDER_SIZE + 32];
    struct client *client = NULL;
    int status = wait_for_start(plan, supervisor, signals), r;

    if (status != 0)
        return status;
    socket_path(plan, path);
    if (client_new(path, &client) != 0) /* why, the supervisor hears in a moment */
        return ready_tell_end(plan, supervisor_wait(supervisor, PROGRESS_MS));
    r = client_send(client, "Telemetry", NULL, CLIENT_MORE);
    if (r < 0)
        say_error("cannot ask guestlink-hostd for its events: %s; stopped the VM", strerror(-r));
    status = r < 0 ? READY_NOT_STARTED : wait_for_guest(plan, supervisor, signals, client);
    (void)client_free(client);
    return status;
}
