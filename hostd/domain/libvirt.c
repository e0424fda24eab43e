/* libvirt: one guestlink-libvirt for each URI, shared by the VMs whose domains are there. */
#include "libvirt.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/qemu_version.h"
#include "libvirt_call.h"
#include "libvirt_user.h"
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define TIMER_ACCURACY_US 10000u

#define NOT_INSTALLED                                                                              \
    "guestlink-libvirt, which speaks to libvirt, is not installed; install the package "           \
    "guestlink-libvirt"

struct libvirt {
    LIST_ENTRY(libvirt) of_all;
    struct libvirt_users users;
    sd_event *event;
    char *uri;
    struct child *child;
    struct sink *errors;
    struct json_link *link; /* NULL: none runs */
    struct libvirt_calls calls;
    sd_event_source *timer; /* of the next start, the connection, or the next ping */
    unsigned busy;          /* callbacks under way */
    bool was_told;          /* that it is down */
    bool answered;          /* the last ping */
    uint64_t up_us;
    uint32_t pause_ms;
    char hypervisor[QEMU_VERSION_SIZE];
    char farewell[LIMITS_TEXT]; /* why it said that it ends */
};

static LIST_HEAD(, libvirt) all = LIST_HEAD_INITIALIZER(all);

static uint64_t now_us(const struct libvirt *libvirt)
{
    uint64_t now = 0;

    (void)sd_event_now(libvirt->event, CLOCK_BOOTTIME, &now);
    return now;
}

static void set_timer(struct libvirt *libvirt, uint32_t ms)
{
    (void)sd_event_source_set_time(libvirt->timer, now_us(libvirt) + (uint64_t)ms * 1000);
    (void)sd_event_source_set_enabled(libvirt->timer, SD_EVENT_ONESHOT);
}

/* Ends what runs, and starts the next after a pause. */
static void lose(struct libvirt *libvirt, const char *text)
{
    char words[SINK_LAST_WORDS + 1] = "", how[CHILD_END_SIZE] = "";
    char all_text[LIMITS_TEXT * 3 + SINK_LAST_WORDS];
    struct child_end end;
    bool was_up = libvirt->users.is_up;

    if (libvirt->errors) {
        sink_drain(libvirt->errors);
        (void)sink_last_words(libvirt->errors, words, sizeof(words));
    }
    if (libvirt->child && !libvirt->farewell[0] && child_has_ended(libvirt->child, &end))
        (void)child_end_describe(&end, how);
    (void)snprintf(all_text, sizeof(all_text), "libvirt at %.300s: %s%s%s%s%s", libvirt->uri,
                   libvirt->farewell[0] ? libvirt->farewell : text, how[0] ? "; " : "", how,
                   words[0] ? "; last output: " : "", words);
    libvirt->link = json_link_free(libvirt->link);
    libvirt->child = child_kill(libvirt->child);
    libvirt->errors = sink_free(libvirt->errors);
    libvirt->users.is_up = false;
    libvirt->hypervisor[0] = '\0';
    if (was_up && now_us(libvirt) - libvirt->up_us >= (uint64_t)LIBVIRT_PAUSE_LAST_MS * 1000)
        libvirt->pause_ms = LIBVIRT_PAUSE_FIRST_MS;
    set_timer(libvirt, libvirt->pause_ms);
    libvirt->pause_ms = libvirt->pause_ms * 2 < LIBVIRT_PAUSE_LAST_MS ? libvirt->pause_ms * 2
                                                                      : LIBVIRT_PAUSE_LAST_MS;
    /* Before their calls fail: of the connection, and of nothing that they asked for. */
    if (was_up || !libvirt->was_told) {
        libvirt->was_told = true;
        libvirt_users_tell_down(&libvirt->users, all_text);
    }
    libvirt_calls_finish(&libvirt->calls, NULL, ECONNRESET, all_text);
}

static void on_pong(void *userdata, const struct libvirt_reply *reply)
{
    struct libvirt *libvirt = userdata;

    libvirt->answered = reply->error == 0;
}

static void ping(struct libvirt *libvirt)
{
    libvirt->answered = false;
    if (libvirt_calls_send(&libvirt->calls, libvirt->event, libvirt->link, libvirt, "ping", NULL,
                           NULL, LIBVIRT_PING_MS * 2, on_pong, libvirt) < 0)
        lose(libvirt, "guestlink-libvirt does not read its requests");
    else
        set_timer(libvirt, LIBVIRT_PING_MS);
}

static void on_connected(struct libvirt *libvirt, struct json_object *message)
{
    if (libvirt->users.is_up)
        return;
    if (!json_as_words(json_member(message, "hypervisor"), libvirt->hypervisor,
                       sizeof(libvirt->hypervisor)))
        libvirt->hypervisor[0] = '\0';
    libvirt->users.is_up = true;
    libvirt->was_told = false;
    libvirt->up_us = now_us(libvirt);
    ping(libvirt);
    libvirt_users_tell_up(&libvirt->users);
}

static void take_message(struct libvirt *libvirt, struct json_object *message)
{
    const char *name = json_as_text(json_member(message, "event"), LIBVIRT_TEXT_MAX);
    const char *problem = NULL;
    char text[LIMITS_TEXT];

    if (!name)
        problem = libvirt_calls_answer(&libvirt->calls, message);
    else if (strcmp(name, "connected") == 0)
        on_connected(libvirt, message);
    else if (strcmp(name, "closed") == 0)
        (void)json_as_words(json_member(message, "text"), libvirt->farewell,
                            sizeof(libvirt->farewell));
    else
        libvirt_users_tell_event(&libvirt->users, name, message);
    if (!problem || !libvirt->link)
        return;
    (void)snprintf(text, sizeof(text), "guestlink-libvirt sent %s", problem);
    lose(libvirt, text);
}

static struct libvirt *libvirt_free(struct libvirt *libvirt);

static void free_unused(struct libvirt *libvirt)
{
    if (libvirt->busy == 0 && LIST_EMPTY(&libvirt->users.list))
        (void)libvirt_free(libvirt);
}

/* The last user may have left while it was called. */
static void leave_busy(struct libvirt *libvirt)
{
    libvirt->busy--;
    free_unused(libvirt);
}

static void on_message(void *userdata, struct json_object *message)
{
    struct libvirt *libvirt = userdata;

    libvirt->busy++;
    take_message(libvirt, message);
    leave_busy(libvirt);
}

static void on_link_ended(void *userdata, bool gone, const char *text)
{
    struct libvirt *libvirt = userdata;

    (void)gone;
    libvirt->busy++;
    lose(libvirt, text);
    leave_busy(libvirt);
}

/* What it said last may not have been read yet: the end of the link, which follows, counts. */
static void on_child_ended(void *userdata, const struct child_end *end)
{
    (void)userdata;
    (void)end;
}

static void start(struct libvirt *libvirt)
{
    static const struct json_link_peer peer = {
        .name = "guestlink-libvirt",
        .nonsense = "guestlink-libvirt sent a line that is not a JSON object",
    };
    int fd = -1, r;

    libvirt->farewell[0] = '\0';
    r = domain_program_start(libvirt->event, libvirt->uri, on_child_ended, libvirt, &libvirt->child,
                             &libvirt->errors, &fd);
    if (r == 0)
        r = json_link_new(libvirt->event, fd, &peer, on_message, on_link_ended, libvirt,
                          &libvirt->link);
    if (r < 0)
        lose(libvirt, r == -ENOENT ? NOT_INSTALLED : strerrordesc_np(-r));
    else
        set_timer(libvirt, LIBVIRT_CONNECT_MS);
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    struct libvirt *libvirt = userdata;

    (void)source;
    (void)now;
    libvirt->busy++;
    if (!libvirt->link)
        start(libvirt);
    else if (!libvirt->users.is_up)
        lose(libvirt, "guestlink-libvirt has no connection within 30 s (does libvirtd hang?)");
    else if (!libvirt->answered)
        lose(libvirt, "guestlink-libvirt hangs; killing it");
    else
        ping(libvirt);
    leave_busy(libvirt);
    return 0;
}

static struct libvirt *libvirt_free(struct libvirt *libvirt)
{
    libvirt_calls_finish(&libvirt->calls, NULL, ECANCELED, "the daemon releases libvirt");
    LIST_REMOVE(libvirt, of_all);
    (void)json_link_free(libvirt->link);
    (void)child_kill(libvirt->child);
    (void)sink_free(libvirt->errors);
    sd_event_source_disable_unref(libvirt->timer);
    sd_event_unref(libvirt->event);
    free(libvirt->uri);
    free(libvirt);
    return NULL;
}

static int libvirt_new(sd_event *event, const char *uri, struct libvirt **ret_libvirt)
{
    struct libvirt *libvirt = calloc(1, sizeof(*libvirt));
    int r = -ENOMEM;

    if (!libvirt)
        return r;
    LIST_INSERT_HEAD(&all, libvirt, of_all);
    libvirt->event = sd_event_ref(event);
    libvirt->pause_ms = LIBVIRT_PAUSE_FIRST_MS;
    libvirt->uri = strdup(uri);
    if (libvirt->uri) /* the first start is in the loop's next turn */
        r = sd_event_add_time(event, &libvirt->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US,
                              on_timer, libvirt);
    if (r < 0) {
        (void)libvirt_free(libvirt);
        return r;
    }
    *ret_libvirt = libvirt;
    return 0;
}

/* @return the one of that URI, or NULL */
static struct libvirt *find(const sd_event *event, const char *uri)
{
    struct libvirt *libvirt;

    LIST_FOREACH(libvirt, &all, of_all)
        if (libvirt->event == event && strcmp(libvirt->uri, uri) == 0)
            return libvirt;
    return NULL;
}

int libvirt_join(sd_event *event, const char *uri, const char *domain,
                 const struct libvirt_events *events, void *userdata,
                 struct libvirt_user **ret_user)
{
    struct libvirt *libvirt = find(event, uri);
    int r = libvirt ? 0 : libvirt_new(event, uri, &libvirt);

    if (r < 0)
        return r;
    r = libvirt_user_new(&libvirt->users, libvirt, event, domain, events, userdata, ret_user);
    if (r < 0)
        free_unused(libvirt);
    return r;
}

struct libvirt_user *libvirt_leave(struct libvirt_user *user)
{
    struct libvirt *libvirt;

    if (!user)
        return NULL;
    libvirt = user->libvirt;
    libvirt_calls_finish(&libvirt->calls, user, ECANCELED, "the daemon releases libvirt");
    (void)libvirt_user_free(user);
    free_unused(libvirt);
    return NULL;
}

const char *libvirt_hypervisor(const struct libvirt_user *user)
{
    return user->libvirt->hypervisor;
}

int libvirt_call(struct libvirt_user *user, const char *call, struct json_object *arguments,
                 uint32_t timeout_ms, libvirt_reply_fn fn, void *userdata)
{
    struct libvirt *libvirt = user->libvirt;

    if (!libvirt->users.is_up) {
        json_object_put(arguments);
        return -ENOTCONN;
    }
    return libvirt_calls_send(&libvirt->calls, libvirt->event, libvirt->link, user, call,
                              user->domain, arguments, timeout_ms, fn, userdata);
}
