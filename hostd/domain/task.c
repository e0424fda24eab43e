/* domain, its operations: one is a row of steps of which each is the answer to a call. */
#include "advice.h"
#include "domain.h"
#include "leftover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMER_ACCURACY_US 2000u

/* An attachment takes some 35 ms. While QEMU waits for a back end that does not answer its guest
 * stands still: not for so long that the guest counts as gone (timeouts_ms.silence, 15 s). */
#define ATTACH_MS 5000u

/* Behind that, when what serves the device was ended: libvirt comes back within
 * 0.2 s then. */
#define AFTERWARDS_MS 3000u

static struct domain_task *destroy(struct domain_task *task)
{
    struct domain_task **position = &task->domain->tasks;

    while (*position != task)
        position = &(*position)->next;
    *position = task->next;
    sd_event_source_disable_unref(task->timer);
    share_server_spec_done(&task->share);
    if (task->device) {
        /* Unfinished: what it started goes, what was there stays. */
        task->device->task = NULL;
        (void)domain_device_free(task->device, !task->adopted);
    }
    free(task->name);
    free(task);
    return NULL;
}

struct domain_task *domain_task_abandon(struct domain_task *task)
{
    if (!task)
        return NULL;
    task->operation->driver_data = NULL;
    task->operation->canceled = NULL;
    return destroy(task);
}

static void on_canceled(void *driver_data)
{
    (void)domain_task_abandon(driver_data);
}

static bool is_busy(const struct domain_task *task)
{
    for (const struct domain_task *other = task->domain->tasks; other; other = other->next)
        if (other != task && strcmp(other->alias, task->alias) == 0)
            return true;
    return false;
}

static int refuse(struct domain_task *task, int error, const char *text)
{
    struct device_operation *operation = task->operation;
    char alias[DEVICE_XML_ALIAS_SIZE];
    int r;

    memcpy(alias, task->alias, sizeof(alias));
    (void)domain_task_abandon(task);
    r = device_operation_finish_later(operation, error, "device %s: %s", alias, text);
    return r < 0 ? r : DOMAIN_TASK_E_BUSY;
}

int domain_task_new(struct device_host *host, bool is_share, const char *name,
                    struct device_operation *operation, struct domain_task **ret_task)
{
    struct device_domain *domain = device_domain_of(host);
    struct domain_task *task;
    uint64_t now = 0;
    int r;

    if (!domain->is_up)
        return -ENOTCONN;
    task = calloc(1, sizeof(*task));
    if (!task)
        return -ENOMEM;
    (void)sd_event_now(host->event, CLOCK_BOOTTIME, &now);
    task->deadline = now + (uint64_t)host->timeout_ms * 1000;
    task->domain = domain;
    task->operation = operation;
    task->is_share = is_share;
    task->next = domain->tasks;
    domain->tasks = task;
    operation->driver_data = task;
    operation->canceled = on_canceled;
    task->name = strdup(name);
    r = task->name
            ? device_xml_alias(is_share ? DEVICE_XML_SHARE : DEVICE_XML_ADAPTER, name, task->alias)
            : -ENOMEM;
    if (r < 0)
        (void)domain_task_abandon(task);
    else if (is_busy(task))
        r = refuse(task, EBUSY, "another operation is in progress");
    else
        *ret_task = task;
    return r;
}

void domain_task_finish(struct domain_task *task, int error, const char *format, ...)
{
    struct device_operation *operation = task->operation;
    char text[DEVICE_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    operation->canceled = NULL;
    if (task->is_removal && error && task->domain->was_up)
        domain_leftover_note(task->domain, task->is_share, task->name);
    (void)destroy(task);
    device_operation_finish(operation, error, "%s", text);
}

void domain_task_fail(struct domain_task *task, const char *what, const struct libvirt_reply *reply)
{
    struct device_server *server = task->device ? task->device->server : NULL;
    const char *words =
        server && device_server_has_ended(server) ? device_server_describe(server) : "";

    domain_task_finish(task, reply->error == EREMOTEIO ? EIO : reply->error, "%s %s: %s%s%s%s%s%s",
                       task->is_share ? "share" : "adapter", task->name, what, what[0] ? ": " : "",
                       reply->text, advice_find(reply), words[0] ? "; " : "", words);
}

static uint32_t left_ms(const struct domain_task *task)
{
    uint64_t now = 0;

    (void)sd_event_now(task->domain->host.event, CLOCK_BOOTTIME, &now);
    return now + 1000 < task->deadline ? (uint32_t)((task->deadline - now) / 1000) : 1;
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    struct domain_task *task = userdata;

    (void)source;
    (void)now;
    task->timer = sd_event_source_disable_unref(task->timer);
    task->timed(task);
    return 0;
}

static int wait_for(struct domain_task *task, uint32_t ms, void (*timed)(struct domain_task *task))
{
    task->timed = timed;
    return sd_event_add_time_relative(task->domain->host.event, &task->timer, CLOCK_BOOTTIME,
                                      (uint64_t)ms * 1000, TIMER_ACCURACY_US, on_timer, task);
}

/* A call of a task whose operation was canceled must not reach it: the daemon lets go of libvirt,
 * and with it of its calls, before that. */
static void on_reply(void *userdata, const struct libvirt_reply *reply)
{
    struct domain_task *task = userdata;

    task->timer = sd_event_source_disable_unref(task->timer);
    task->step(task, reply);
}

static int call(struct domain_task *task, const char *name, struct json_object *arguments,
                uint32_t timeout_ms, domain_step_fn step)
{
    task->step = step;
    return libvirt_call(task->domain->libvirt, name, arguments, timeout_ms, on_reply, task);
}

/* As call(); what cannot be sent ends up in @p step as an error. */
static void call_next(struct domain_task *task, const char *name, struct json_object *arguments,
                      uint32_t timeout_ms, domain_step_fn step)
{
    int r = call(task, name, arguments, timeout_ms, step);

    if (r < 0) {
        const struct libvirt_reply reply = {.error = -r, .text = strerrordesc_np(-r)};

        task->timer = sd_event_source_disable_unref(task->timer);
        step(task, &reply);
    }
}

/* ---- describe */

/* The event that says so may come later. First the VM ends, and then what it was for. */
static void find_absent(struct domain_task *task)
{
    task->domain->absent(task->domain, "the domain was stopped");
    domain_task_finish(task, ENOTCONN, "%s: the domain is not running", task->name);
}

static void on_described(struct domain_task *task, const struct libvirt_reply *reply)
{
    bool is_gone = reply->error == EREMOTEIO && reply->code == LIBVIRT_ERROR_NO_DOMAIN;

    if (reply->error && !is_gone)
        domain_task_fail(task, "cannot query the domain in libvirt", reply);
    else if (!is_gone && description_is_active(reply->result))
        task->made(task, reply);
    else
        find_absent(task);
}

int domain_task_describe(struct domain_task *task, domain_step_fn step)
{
    task->made = step;
    return call(task, "describe", NULL, left_ms(task), on_described);
}

bool domain_task_find_port(struct domain_task *task, struct json_object *description)
{
    bool is_free[DESCRIPTION_PORTS];
    unsigned count = description_ports(description, is_free), last = task->domain->last_port;

    for (const struct domain_task *other = task->domain->tasks; other; other = other->next) {
        if (other != task && is_free[other->port]) {
            is_free[other->port] = false;
            count--;
        }
    }
    if (count == 0) {
        domain_task_finish(task, ENOSPC,
                           "%s %s: no free PCIe root port; give the domain a <controller "
                           "type='pci' model='pcie-root-port'/> for each new device, and start "
                           "it again",
                           task->is_share ? "share" : "adapter", task->name);
        return false;
    }
    do
        last = (last + 1) % DESCRIPTION_PORTS;
    while (!is_free[last]);
    task->port = task->domain->last_port = last;
    return true;
}

/* ---- attach */

/* QEMU waits for what serves the device: that one's end is what ends the call. */
static void on_attach_overdue(struct domain_task *task)
{
    task->overdue = true;
    if (task->device)
        task->device->server = device_server_stop(task->device->server);
}

static void on_attached(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (task->overdue)
        domain_task_finish(task, ETIMEDOUT,
                           "%s %s: libvirt did not attach the device within %u ms, so its "
                           "server was stopped%s%s",
                           task->is_share ? "share" : "adapter", task->name, task->attach_ms,
                           reply->error ? ": " : "", reply->text);
    else
        task->made(task, reply);
}

void domain_task_attach(struct domain_task *task, char *xml, domain_step_fn step)
{
    struct json_object *arguments = xml ? json_texts("xml", xml, NULL) : NULL;

    free(xml);
    task->made = step;
    task->attach_ms = left_ms(task) < ATTACH_MS ? left_ms(task) : ATTACH_MS;
    if (!arguments || wait_for(task, task->attach_ms, on_attach_overdue) < 0) {
        json_object_put(arguments);
        step(task, &(struct libvirt_reply){.error = ENOMEM, .text = "out of memory"});
        return;
    }
    call_next(task, "attach", arguments, task->attach_ms + AFTERWARDS_MS, on_attached);
}

/* ---- unplug */

/* The device that is on its way out already, or NULL. */
static struct domain_device *find_leaving(const struct domain_task *task)
{
    struct domain_device *device = task->domain->devices;

    while (device && (!device->leaving || strcmp(device->alias, task->alias) != 0))
        device = device->next;
    return device;
}

static void unplug_end(struct domain_task *task, int error, const char *text)
{
    const struct libvirt_reply reply = {.error = error, .text = text};

    task->unplugging = false;
    task->timer = sd_event_source_disable_unref(task->timer);
    task->made(task, &reply);
}

/* The event can come before the answer; the task goes on when it has both. */
static void check_unplug(struct domain_task *task)
{
    if (task->unplug_answered && task->unplug_event)
        unplug_end(task, task->unplug_error,
                   task->unplug_error ? "the guest refused to release the device; the device "
                                        "stays"
                                      : "");
}

static void on_unplug_overdue(struct domain_task *task)
{
    struct domain_device *leaving = find_leaving(task);
    char text[512];

    if (!task->unplug_answered)
        return; /* the call has the same deadline */
    if (leaving)
        leaving->leaving = false; /* the next try asks again */
    (void)snprintf(text, sizeof(text),
                   "the guest did not release device %s within %u ms (is the guest stopped, or "
                   "is something still mounted?); QEMU removes the device as soon as the guest "
                   "releases it",
                   task->alias, task->domain->host.timeout_ms);
    unplug_end(task, ETIMEDOUT, text);
}

static void on_detach(void *userdata, const struct libvirt_reply *reply)
{
    struct domain_task *task = userdata;

    task->unplug_answered = true;
    /* Already asked for, by us or by an earlier daemon, and not yet done: then wait as well. */
    if (!reply->error || advice_is_unplugging(reply))
        check_unplug(task);
    else if (advice_is_missing(reply))
        unplug_end(task, 0, "");
    else
        unplug_end(task, reply->error == EREMOTEIO ? EIO : reply->error, reply->text);
}

void domain_task_unplug(struct domain_task *task, domain_step_fn step)
{
    int r;

    task->made = step;
    task->unplugging = true;
    task->unplug_answered = find_leaving(task) != NULL;
    task->unplug_event = false;
    r = wait_for(task, left_ms(task), on_unplug_overdue);
    if (r >= 0 && !task->unplug_answered)
        r = libvirt_call(task->domain->libvirt, "detach", json_texts("alias", task->alias, NULL),
                         left_ms(task), on_detach, task);
    if (r < 0)
        unplug_end(task, -r, strerrordesc_np(-r));
}

void domain_tasks_on_unplugged(struct device_domain *domain, const char *alias, int error)
{
    for (struct domain_task *task = domain->tasks; task; task = task->next) {
        if (task->unplugging && strcmp(task->alias, alias) == 0) {
            task->unplug_event = true;
            task->unplug_error = error;
            check_unplug(task);
            return;
        }
    }
}

void domain_tasks_lose_unplugs(struct device_domain *domain, const char *text)
{
    struct domain_task *task = domain->tasks;

    while (task) {
        if (task->unplugging && task->unplug_answered) {
            unplug_end(task, ECONNRESET, text);
            task = domain->tasks; /* others may have ended with it */
        } else {
            task = task->next;
        }
    }
}
