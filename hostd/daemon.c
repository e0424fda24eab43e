/* daemon: everything that guestlink-hostd is made of, tied together on one event loop. */
#include "daemon.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/notify.h"
#include "control/control.h"
#include "control/metrics.h"
#include "discovery.h"
#include "doors.h"
#include "fleet.h"
#include "guest/listener.h"
#include "handshake.h"
#include "reload.h"
#include "vm/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct daemon {
    struct fleet fleet;
    struct handshakes *handshakes;
    struct doors *doors;
    struct discovery *discovery;
    struct control *control;
    struct metrics *metrics; /* NULL: not configured */
    int control_fd;          /* passed by systemd, or -1 */
};

static int run_reload(void *userdata, config_remark_fn on_warning, config_remark_fn on_error,
                      void *remark_userdata)
{
    struct daemon *daemon = userdata;
    struct reload reload = {.fleet = &daemon->fleet,
                            .handshakes = daemon->handshakes,
                            .doors = daemon->doors,
                            .discovery = daemon->discovery,
                            .on_warning = on_warning,
                            .on_error = on_error,
                            .userdata = remark_userdata};
    int r;

    notify_reloading();
    r = reload_run(&reload);
    notify_ready(registry_count(daemon->fleet.registry));
    return r;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void)source;
    (void)info;
    (void)run_reload(userdata, NULL, NULL, NULL);
    return 0;
}

static int on_reopen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct daemon *daemon = userdata;

    (void)source;
    (void)info;
    telemetry_reopen(daemon->fleet.services.telemetry, NULL);
    return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
    struct daemon *daemon = userdata;

    (void)source;
    (void)info;
    log_line(LOG_INFO, "stopping; guests and their devices keep running");
    return sd_event_exit(daemon->fleet.services.event, 0);
}

static int watch_signals(struct daemon *daemon)
{
    static const struct {
        int number;
        sd_event_signal_handler_t fn;
    } signals[] = {
        {SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_hangup}, {SIGUSR1, on_reopen}};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int r = sd_event_add_signal(daemon->fleet.services.event, NULL, signals[i].number,
                                    signals[i].fn, daemon);

        if (r < 0)
            return r;
    }
    return 0;
}

/* A socket of systemd's is the control socket by its name, or by its path. */
static bool is_control(const struct config *config, int fd, const char *name)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof(address) - 1;

    if (strcmp(name, "control") == 0)
        return true;
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.sun_family == AF_UNIX && config->control &&
           strcmp(address.sun_path, config->control) == 0;
}

/* @param name  of systemd's, "" if it has none. @return 0, or -errno after saying why not */
static int take_socket(struct daemon *daemon, int fd, const char *name)
{
    bool control = is_control(daemon->fleet.settings->config, fd, name);
    const char *problem = listener_find_problem(fd, control);
    int r = -EINVAL;

    if (!problem && control && daemon->control_fd >= 0)
        problem = "second control socket";
    if (!problem && control) {
        daemon->control_fd = fd;
        return 0;
    }
    if (!problem) {
        r = doors_consume_fd(daemon->doors, fd);
        problem = r < 0 ? strerrordesc_np(-r) : NULL;
    } else {
        (void)close(fd);
    }
    if (problem)
        log_line(LOG_ERR,
                 "cannot use socket \"%s\" (descriptor %d) passed by systemd: %s; not starting; "
                 "expected one that listens for a stream (ListenStream=), AF_UNIX%s",
                 name, fd, problem, control ? "" : " or AF_VSOCK");
    return problem ? r : 0;
}

static int take_passed_sockets(struct daemon *daemon)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    int r = 0;

    if (count < 0)
        log_line(LOG_ERR,
                 "cannot take the sockets passed by systemd (LISTEN_FDS): %s; not starting",
                 strerrordesc_np(-count));
    for (int i = 0; i < count; i++) {
        int taken = take_socket(daemon, SD_LISTEN_FDS_START + i, names[i]);

        if (taken < 0 && r == 0)
            r = taken;
        free(names[i]);
    }
    free(names);
    return count < 0 ? count : r;
}

static int make_vms(struct daemon *daemon)
{
    const struct config *config = daemon->fleet.settings->config;
    struct vm **vms = calloc(config->vm_count + 1, sizeof(struct vm *));
    size_t count = 0;
    int r;

    if (!vms)
        return -ENOMEM;
    r = registry_reserve(daemon->fleet.registry, config->vm_count);
    while (count < config->vm_count && r >= 0) {
        r = vm_new(&daemon->fleet.services, daemon->fleet.settings, &config->vms[count],
                   &vms[count]);
        if (r >= 0)
            count++;
    }
    if (r >= 0)
        registry_replace(daemon->fleet.registry, vms, count);
    while (r < 0 && count > 0)
        (void)vm_free(vms[--count]);
    free(vms);
    return r;
}

/* @return 0, or -errno after saying why there is no daemon now */
static int open_store(struct daemon *daemon, const char *state_dir)
{
    struct store **store = &daemon->fleet.services.store;
    char who[32] = "";
    pid_t pid = 0;
    int r = store_new(state_dir, store);

    if (r < 0) {
        log_line(LOG_WARNING, "cannot use state_dir %s: %s; not saving VM state", state_dir,
                 strerrordesc_np(-r));
        return *store ? 0 : r;
    }
    r = store_lock(*store, &pid);
    if (r < 0 && r != -EBUSY)
        log_line(
            LOG_WARNING,
            "cannot lock state_dir %s: %s; continuing without a lock, so a second daemon could "
            "use it",
            state_dir, strerrordesc_np(-r));
    if (r != -EBUSY)
        return 0;
    if (pid != 0)
        (void)snprintf(who, sizeof(who), ", pid %d", (int)pid);
    log_line(
        LOG_ERR,
        "cannot use state_dir %s: another daemon uses it%s; not starting; stop that daemon, or "
        "give this one its own state_dir",
        state_dir, who);
    return r;
}

static int make_parts(struct daemon *daemon)
{
    const struct config *config = daemon->fleet.settings->config;
    int r;

    daemon->fleet.services.config = config;
    r = open_store(daemon, config->state_dir);
    if (r < 0)
        return r;
    r = telemetry_new(&config->telemetry, &daemon->fleet.services.telemetry);
    if (r < 0)
        return r;
    daemon->fleet.registry = registry_new();
    daemon->handshakes = handshakes_new(&daemon->fleet.services);
    if (!daemon->fleet.services.store || !daemon->fleet.registry || !daemon->handshakes)
        return -ENOMEM;
    daemon->doors = doors_new(&daemon->fleet.services, daemon->fleet.registry, daemon->handshakes);
    return daemon->doors ? 0 : -ENOMEM;
}

static int open_control(struct daemon *daemon)
{
    const struct config *config = daemon->fleet.settings->config;
    int fd = daemon->control_fd;
    int r;

    daemon->control_fd = -1;
    r = control_new(&daemon->fleet, config->control, config->control_group, fd, run_reload, daemon,
                    &daemon->control);
    if (r < 0)
        log_line(LOG_ERR, "cannot listen on the control socket %s: %s", config->control,
                 r == -EADDRINUSE ? "another daemon uses it" : strerrordesc_np(-r));
    return r;
}

static int open_metrics(struct daemon *daemon)
{
    const struct config *config = daemon->fleet.settings->config;
    int r;

    if (!config->metrics)
        return 0;
    r = metrics_new(&daemon->fleet, config->metrics, config->control_group, &daemon->metrics);
    if (r < 0)
        log_line(LOG_ERR, "cannot listen on the metrics socket %s: %s", config->metrics,
                 r == -EADDRINUSE ? "another daemon uses it" : strerrordesc_np(-r));
    return r;
}

static void on_discovered(void *userdata)
{
    (void)run_reload(userdata, NULL, NULL, NULL);
}

static int open_discovery(struct daemon *daemon)
{
    int r = discovery_new(daemon->fleet.services.event, on_discovered, daemon, &daemon->discovery);

    return r < 0 ? r : discovery_follow(daemon->discovery, daemon->fleet.settings->config);
}

static int open_doors(struct daemon *daemon)
{
    return doors_update(daemon->doors);
}

/* Guests are let in last, when all that serves them stands. */
static int set_up(struct daemon *daemon)
{
    static int (*const steps[])(struct daemon * daemon) = {
        make_parts,   watch_signals, take_passed_sockets, make_vms,
        open_control, open_metrics,  open_doors,          open_discovery};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
        r = steps[i](daemon);
    if (r >= 0)
        notify_ready(registry_count(daemon->fleet.registry));
    return r;
}

int daemon_new(sd_event *event, struct config *config, struct daemon **ret_daemon)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    int r;

    if (!daemon) {
        (void)config_free(config);
        return -ENOMEM;
    }
    daemon->control_fd = -1;
    daemon->fleet.services.event = sd_event_ref(event);
    daemon->fleet.settings = settings_new(config);
    r = daemon->fleet.settings ? set_up(daemon) : -ENOMEM;
    if (r < 0) {
        (void)daemon_free(daemon);
        return r;
    }
    *ret_daemon = daemon;
    return 0;
}

struct daemon *daemon_free(struct daemon *daemon)
{
    if (!daemon)
        return NULL;
    daemon->discovery = discovery_free(daemon->discovery);
    daemon->control = control_free(daemon->control);
    daemon->metrics = metrics_free(daemon->metrics);
    if (daemon->control_fd >= 0)
        (void)close(daemon->control_fd);
    daemon->doors = doors_free(daemon->doors);
    daemon->handshakes = handshakes_free(daemon->handshakes);
    if (daemon->fleet.services.telemetry)
        report_nobodys_dropped(&daemon->fleet.services);
    (void)sd_event_source_disable_unref(daemon->fleet.services.nobodys_dropped_timer);
    daemon->fleet.registry = registry_free(daemon->fleet.registry);
    daemon->fleet.services.store = store_free(daemon->fleet.services.store);
    daemon->fleet.services.telemetry = telemetry_free(daemon->fleet.services.telemetry);
    daemon->fleet.settings = settings_unref(daemon->fleet.settings);
    (void)sd_event_unref(daemon->fleet.services.event);
    free(daemon);
    return NULL;
}
