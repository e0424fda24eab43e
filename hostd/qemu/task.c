/* qemu task: one operation on QEMU, as a row of steps of which each is the answer to a command. */
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMER_ACCURACY_US 2000u

static struct qemu_task *destroy(struct qemu_task *task)
{
    struct qemu_task **position = &task->qemu->tasks;

    while (*position != task)
        position = &(*position)->next;
    *position = task->next;
    sd_event_source_disable_unref(task->timer);
    for (size_t i = 0; task->ports && task->ports[i]; i++)
        free(task->ports[i]);
    free(task->ports);
    json_object_put(task->memories);
    free(task->name);
    share_server_spec_done(&task->serve);
    free(task);
    return NULL;
}

struct qemu_task *qemu_task_abandon(struct qemu_task *task)
{
    if (!task)
        return NULL;
    if (task->cleanup)
        task->cleanup(task);
    task->operation->driver_data = NULL;
    task->operation->canceled = NULL;
    return destroy(task);
}

static bool is_busy(const struct qemu_task *task)
{
    for (const struct qemu_task *other = task->qemu->tasks; other; other = other->next)
        if (other != task && strcmp(other->device, task->device) == 0)
            return true;
    return false;
}

static int refuse(struct qemu_task *task)
{
    struct device_operation *operation = task->operation;
    char device[QEMU_NAME_SIZE];
    int r;

    memcpy(device, task->device, sizeof(device));
    (void)qemu_task_abandon(task);
    r = device_operation_finish_later(operation, EBUSY,
                                      "device %s: another operation is in progress", device);
    return r < 0 ? r : QEMU_TASK_E_BUSY;
}

static void on_canceled(void *driver_data)
{
    (void)qemu_task_abandon(driver_data);
}

int qemu_task_new(struct device_host *host, const char *prefix, const char *name,
                  struct device_operation *operation, struct qemu_task **ret_task)
{
    struct device_qemu *qemu = device_qemu_of(host);
    struct qemu_task *task = calloc(1, sizeof(*task));
    uint64_t now = 0;
    int r;

    if (!task)
        return -ENOMEM;
    (void)sd_event_now(host->event, CLOCK_BOOTTIME, &now);
    task->deadline = now + (uint64_t)host->timeout_ms * 1000;
    task->qemu = qemu;
    task->operation = operation;
    task->next = qemu->tasks;
    qemu->tasks = task;
    operation->driver_data = task;
    operation->canceled = on_canceled;
    task->name = strdup(name);
    r = task->name ? qemu_name_device(prefix, name, task->device) : -ENOMEM;
    if (r < 0)
        (void)qemu_task_abandon(task);
    else if (is_busy(task))
        r = refuse(task);
    else
        *ret_task = task;
    return r;
}

void qemu_task_finish(struct qemu_task *task, int error, const char *format, ...)
{
    struct device_operation *operation = task->operation;
    char text[DEVICE_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    operation->canceled = NULL;
    (void)destroy(task);
    device_operation_finish(operation, error, "%s", text);
}

uint32_t qemu_task_left_ms(const struct qemu_task *task)
{
    uint64_t now = 0;

    (void)sd_event_now(task->qemu->host.event, CLOCK_BOOTTIME, &now);
    return now + 1000 < task->deadline ? (uint32_t)((task->deadline - now) / 1000) : 1;
}

static void on_reply(void *userdata, const struct qmp_reply *reply)
{
    struct qemu_task *task = userdata;
    const char *expected = reply->error ? NULL : qmp_reader_check(task->shape, reply->result);
    struct qmp_reply wrong = {.error = EPROTO};
    char text[256];

    if (expected) {
        (void)snprintf(text, sizeof(text),
                       "QEMU's answer to %s violates QMP (expected %s); the guest may have "
                       "taken over QEMU; restart the VM",
                       task->command, expected);
        wrong.text = text;
        reply = &wrong;
    }
    task->step(task, reply);
}

int qemu_task_begin(struct qemu_task *task, const char *command, struct json_object *arguments,
                    enum qmp_shape shape, qemu_step_fn step)
{
    task->command = command;
    task->shape = shape;
    task->step = step;
    return qmp_execute(task->qemu->qmp, command, arguments, qemu_task_left_ms(task), on_reply,
                       task);
}

void qemu_task_next(struct qemu_task *task, const char *command, struct json_object *arguments,
                    enum qmp_shape shape, qemu_step_fn step)
{
    int r = qemu_task_begin(task, command, arguments, shape, step);

    if (r < 0) {
        const struct qmp_reply reply = {.error = -r, .text = strerrordesc_np(-r)};

        step(task, &reply);
    }
}

void qemu_task_tell(struct qemu_task *task, const char *command, struct json_object *arguments)
{
    (void)qmp_execute(task->qemu->qmp, command, arguments, task->qemu->host.timeout_ms, NULL, NULL);
}

/* The arguments of a `qom-get`. */
static struct json_object *property_of(const struct qemu_task *task, const char *property)
{
    char path[QEMU_NAME_SIZE + 32];

    (void)snprintf(path, sizeof(path), "/machine/peripheral/%s", task->device);
    return json_texts("path", path, "property", property, NULL);
}

void qemu_task_next_get(struct qemu_task *task, const char *property, enum qmp_shape shape,
                        qemu_step_fn step)
{
    qemu_task_next(task, "qom-get", property_of(task, property), shape, step);
}

int qemu_task_begin_get(struct qemu_task *task, const char *property, enum qmp_shape shape,
                        qemu_step_fn step)
{
    return qemu_task_begin(task, "qom-get", property_of(task, property), shape, step);
}

void qemu_task_next_list(struct qemu_task *task, qemu_step_fn step)
{
    qemu_task_next(task, "qom-list", json_texts("path", "/machine/peripheral", NULL),
                   QMP_SHAPE_PROPERTIES, step);
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    struct qemu_task *task = userdata;

    (void)source;
    (void)now;
    task->timer = sd_event_source_disable_unref(task->timer);
    task->waited(task);
    return 0;
}

int qemu_task_wait(struct qemu_task *task, uint64_t us, void (*waited)(struct qemu_task *task))
{
    task->waited = waited;
    return sd_event_add_time_relative(task->qemu->host.event, &task->timer, CLOCK_BOOTTIME, us,
                                      TIMER_ACCURACY_US, on_timer, task);
}

const char *qemu_task_property(const struct qmp_reply *reply, size_t index, const char *key)
{
    const char *text = qmp_reader_text(json_member(json_element(reply->result, index), key));

    return text ? text : "";
}

bool qemu_task_device_is_listed(const struct qemu_task *task, const struct qmp_reply *reply)
{
    bool listed = false;

    for (size_t i = 0; !listed && i < json_count(reply->result); i++)
        listed = strcmp(qemu_task_property(reply, i, "name"), task->device) == 0;
    return listed;
}
