/* control: the socket, who may use it, and the table of methods. */
#include "control.h"

#include "base/json.h"
#include "base/log.h"
#include "control_connect.h"
#include "control_exec.h"
#include "control_method.h"
#include "control_peer.h"
#include "control_stream.h"
#include "control_view.h"
#include "fleet.h"
#include "guest/listener.h"
#include "interface.h"
#include "metrics_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct control {
    struct fleet *fleet;
    control_reload_fn reload;
    void *reload_userdata;
    struct listener *listener;
    struct varlink *varlink;
    struct control_execs *execs;
    struct control_connects *connects;
    gid_t gid;
};

static void list(void *userdata, struct varlink_call *call, struct json_object *params)
{
    const struct control *control = userdata;
    struct json_object *vms = json_object_new_array();
    size_t count = registry_count(control->fleet->registry);

    (void)params;
    for (size_t i = 0; i < count; i++)
        json_object_array_add(vms, control_view_summary(registry_get(control->fleet->registry, i)));
    varlink_call_reply(call, json_members("vms", vms, NULL), false);
}

static void metrics(void *userdata, struct varlink_call *call, struct json_object *params)
{
    const struct control *control = userdata;
    const struct daemon_counters *counted = &control->fleet->services.counters;
    const struct telemetry *telemetry = control->fleet->services.telemetry;
    struct json_object *counters = json_object_new_object();
    char *text = metrics_text_make(control->fleet);

    (void)params;
    json_add_number(counters, "vms", registry_count(control->fleet->registry));
    json_add_number(counters, "open", counted->open);
    json_add_number(counters, "connections", counted->connections);
    json_add_number(counters, "accepted", counted->accepted);
    json_add_number(counters, "malformed", counted->malformed);
    json_add_number(counters, "timed_out", counted->timed_out);
    json_add_number(counters, "frames_in", counted->frames_in);
    json_add_number(counters, "frames_out", counted->frames_out);
    json_add_number(counters, "bytes_in", counted->bytes_in);
    json_add_number(counters, "bytes_out", counted->bytes_out);
    json_add_number(counters, "boots", counted->boots);
    json_add_number(counters, "slow_guests", counted->slow_guests);
    json_add_number(counters, "reloads", counted->reloads);
    json_add_number(counters, "reloads_refused", counted->reloads_refused);
    json_add_number(counters, "telemetry_lost", telemetry_lost(telemetry));
    varlink_call_reply(call,
                       json_members("counters", counters, "text",
                                    json_object_new_string(text != NULL ? text : ""), NULL),
                       false);
    free(text);
}

static void files(void *userdata, struct varlink_call *call, struct json_object *params)
{
    const struct config *config = ((const struct control *)userdata)->fleet->settings->config;
    const char *telemetry = config->telemetry.file;

    (void)params;
    varlink_call_reply(call,
                       json_texts("configuration", config->file, "telemetry",
                                  telemetry != NULL ? telemetry : "", "state_dir",
                                  config->state_dir, NULL),
                       false);
}

struct remarks {
    struct json_object *warnings; /* an array */
    char *first;                  /* of the errors; NULL: none, or no memory */
    size_t errors;
};

static void on_warning(void *userdata, const char *remark)
{
    struct remarks *remarks = userdata;

    json_object_array_add(remarks->warnings, json_object_new_string(remark));
}

static void on_error(void *userdata, const char *remark)
{
    struct remarks *remarks = userdata;

    if (remarks->errors++ == 0)
        remarks->first = strdup(remark);
}

/* Names the error that refuses the file, never a warning in its place, and where the rest is. */
static void refuse_reload(const struct control *control, struct varlink_call *call,
                          const struct remarks *remarks, int r)
{
    const char *file = control->fleet->settings->config->file;
    size_t more = remarks->errors > 0 ? remarks->errors - 1 : 0;
    char rest[128] = "", *reason = NULL;

    if (more > 0)
        (void)snprintf(rest, sizeof(rest), "; %zu more error%s: see the daemon's log", more,
                       more == 1 ? "" : "s");
    if (remarks->first == NULL)
        r = asprintf(&reason, "cannot reload %s: %s; keeping the previous configuration", file,
                     strerror(r < 0 ? -r : ENOMEM));
    else
        r = asprintf(&reason, "%s; keeping the previous configuration%s", remarks->first, rest);
    control_method_fail_text(call, "io.guestlink.Refused", "reason",
                             r >= 0 ? reason : strerror(ENOMEM));
    free(r >= 0 ? reason : NULL);
}

static void reload(void *userdata, struct varlink_call *call, struct json_object *params)
{
    const struct control *control = userdata;
    struct remarks remarks = {.warnings = json_object_new_array()};
    int r;

    (void)params;
    r = control->reload(control->reload_userdata, on_warning, on_error, &remarks);
    if (r == 0) {
        varlink_call_reply(call, json_members("remarks", remarks.warnings, NULL), false);
    } else {
        refuse_reload(control, call, &remarks, r);
        json_object_put(remarks.warnings);
    }
    free(remarks.first);
}

/* From the table's userdata, the control socket, to what each group of methods works on. */
#define OF_FLEET(name)                                                                             \
    static void name(void *userdata, struct varlink_call *call, struct json_object *params)        \
    {                                                                                              \
        control_method_##name(((struct control *)userdata)->fleet, call, params);                  \
    }
#define OF_EXECS(name)                                                                             \
    static void name(void *userdata, struct varlink_call *call, struct json_object *params)        \
    {                                                                                              \
        control_exec_##name(((struct control *)userdata)->execs, call, params);                    \
    }

OF_FLEET(show)
OF_FLEET(capabilities)
OF_FLEET(command_line)
OF_FLEET(pool_usage)
OF_FLEET(add_share)
OF_FLEET(remove_share)
OF_FLEET(shut_down)
#define OF_CONNECTS(name)                                                                          \
    static void name(void *userdata, struct varlink_call *call, struct json_object *params)        \
    {                                                                                              \
        control_connect_##name(((struct control *)userdata)->connects, call, params);              \
    }

OF_EXECS(run)
OF_EXECS(write_input)
OF_EXECS(send_signal)
OF_EXECS(resize_terminal)
OF_CONNECTS(open)

static void stream_telemetry(void *userdata, struct varlink_call *call, struct json_object *params)
{
    (void)params;
    control_stream_telemetry(((struct control *)userdata)->fleet->services.telemetry, call);
}

static const struct varlink_method methods[] = {
    {"List", list, VARLINK_ONE},
    {"Show", show, VARLINK_ONE},
    {"Capabilities", capabilities, VARLINK_ONE},
    {"CommandLine", command_line, VARLINK_ONE},
    {"PoolUsage", pool_usage, VARLINK_ONE},
    {"AddShare", add_share, VARLINK_ONE},
    {"RemoveShare", remove_share, VARLINK_ONE},
    {"Exec", run, VARLINK_STREAM},
    {"WriteInput", write_input, VARLINK_ONE},
    {"SendSignal", send_signal, VARLINK_ONE},
    {"ResizeTerminal", resize_terminal, VARLINK_ONE},
    {"Connect", open, VARLINK_UPGRADE},
    {"ShutDown", shut_down, VARLINK_ONE},
    {"Telemetry", stream_telemetry, VARLINK_STREAM},
    {"Files", files, VARLINK_ONE},
    {"Metrics", metrics, VARLINK_ONE},
    {"Reload", reload, VARLINK_ONE},
};

static const struct varlink_interface interface = {
    .vendor = "guestlink",
    .product = "guestlink-hostd",
    .version = GUESTLINK_VERSION,
    .url = "",
    .name = "io.guestlink",
    .description = interface_description,
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    static const char denied[] =
        "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}";
    struct control *control = userdata;

    (void)peer;
    if (!control_peer_is_allowed(fd, control->gid)) {
        (void)send(fd, denied, sizeof(denied), MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)close(fd);
        return;
    }
    if (varlink_consume_connection(control->varlink, fd) == -EUSERS)
        log_line(LOG_WARNING,
                 "cannot accept a connection on the control socket: %u are open, expected "
                 "fewer; closing the new one",
                 VARLINK_CONNECTIONS);
}

static void on_paused(void *userdata, int error)
{
    (void)userdata;
    log_line(LOG_WARNING,
             "cannot accept a connection on the control socket: %s; will retry "
             "shortly",
             strerror(error));
}

int control_new(struct fleet *fleet, const char *path, const char *group, int listen_fd,
                control_reload_fn reload_vms, void *userdata, struct control **ret_control)
{
    static const struct listener_events events = {on_accepted, on_paused};
    struct control *control = calloc(1, sizeof(*control));
    sd_event *event = fleet->services.event;
    int r = 0;

    if (control == NULL) {
        if (listen_fd >= 0)
            (void)close(listen_fd);
        return -ENOMEM;
    }
    control->fleet = fleet;
    control->reload = reload_vms;
    control->reload_userdata = userdata;
    control->gid = control_peer_find_group(group);
    if (listen_fd >= 0)
        r = listener_consume_fd(event, listen_fd, &events, control, &control->listener);
    else
        r = listener_new_unix(event, path, &events, control, &control->listener);
    if (r >= 0 && listen_fd < 0 && control_peer_widen(path, control->gid) < 0) {
        log_line(LOG_WARNING,
                 "cannot give the control socket %s to the group %s: %s; only root can use it",
                 path, group, strerror(errno));
        control->gid = CONTROL_PEER_NO_GROUP;
    }
    if (r >= 0)
        r = varlink_new(event, &interface, control, &control->varlink);
    if (r >= 0) {
        control->execs = control_execs_new(fleet);
        control->connects = control_connects_new(fleet);
        r = control->execs == NULL || control->connects == NULL ? -ENOMEM : 0;
    }
    if (r < 0) {
        (void)control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

struct control *control_free(struct control *control)
{
    if (control == NULL)
        return NULL;
    (void)listener_free(control->listener);
    (void)varlink_free(control->varlink);
    (void)control_execs_free(control->execs);
    (void)control_connects_free(control->connects);
    free(control);
    return NULL;
}
