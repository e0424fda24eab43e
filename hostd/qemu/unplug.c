/*
 * qemu task, its part that removes a device. The guest must release it; QEMU says so with an
 * event, and says nothing if the guest does not react.
 */
#include "refusal.h"
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void unplug_end(struct qemu_task *task, int error, const char *text)
{
    const struct qmp_reply reply = {.error = error, .text = text};

    task->unplugging = false;
    task->timer = sd_event_source_disable_unref(task->timer);
    task->unplugged(task, &reply);
}

/* The share whose device is on its way out already, or NULL. */
static struct qemu_share *find_leaving(const struct qemu_task *task)
{
    char device[QEMU_NAME_SIZE];

    for (struct qemu_share *share = task->qemu->shares; share; share = share->next)
        if (share->leaving && qemu_name_device(QEMU_NAME_FS, share->tag, device) == 0 &&
            strcmp(device, task->device) == 0)
            return share;
    return NULL;
}

static void give_up(struct qemu_task *task)
{
    struct qemu_share *leaving = find_leaving(task);
    char text[512];

    if (leaving)
        leaving->leaving = false; /* the next try asks again */
    (void)snprintf(text, sizeof(text),
                   "the guest did not release device %s within %u ms (is the guest stopped, or "
                   "is something still mounted?); QEMU removes the device as soon as the guest "
                   "releases it",
                   task->device, task->qemu->host.timeout_ms);
    unplug_end(task, ETIMEDOUT, text);
}

/* The event can come before the answer to device_del; the task goes on when it has both, or has
 * waited long enough. The command has the same deadline: its answer always comes. */
static void check(struct qemu_task *task)
{
    if (task->unplug_answered && task->unplug_event)
        unplug_end(task, task->unplug_error,
                   task->unplug_error ? "the guest refused to release the device; the device "
                                        "stays"
                                      : "");
    else if (task->unplug_answered && !task->timer)
        give_up(task);
}

void qemu_task_on_unplug_event(struct device_qemu *qemu, const char *id, int error)
{
    for (struct qemu_task *task = qemu->tasks; task; task = task->next) {
        if (task->unplugging && strcmp(task->device, id) == 0) {
            task->unplug_event = true;
            task->unplug_error = error;
            check(task);
            return;
        }
    }
}

void qemu_task_lose_unplugs(struct device_qemu *qemu, const char *text)
{
    struct qemu_task *task = qemu->tasks;

    while (task) {
        if (task->unplugging && task->unplug_answered) {
            unplug_end(task, ECONNRESET, text);
            task = qemu->tasks; /* others may have ended with it */
        } else {
            task = task->next;
        }
    }
}

static void on_device_del(struct qemu_task *task, const struct qmp_reply *reply)
{
    task->unplug_answered = true;
    /* Already asked for, by us or by an earlier daemon, and not yet done: then wait as well. */
    if (!reply->error || qemu_refusal_is(QEMU_REFUSAL_UNPLUGGING, reply))
        check(task);
    else if (qemu_refusal_is(QEMU_REFUSAL_UNKNOWN, reply))
        unplug_end(task, 0, "");
    else
        unplug_end(task, reply->error, reply->text);
}

void qemu_task_unplug(struct qemu_task *task, qemu_step_fn unplugged)
{
    task->unplugging = true;
    task->unplug_answered = find_leaving(task) != NULL;
    task->unplug_event = false;
    task->unplugged = unplugged;
    if (qemu_task_wait(task, (uint64_t)qemu_task_left_ms(task) * 1000, check) < 0) {
        unplug_end(task, ENOMEM, "out of memory");
        return;
    }
    if (!task->unplug_answered)
        qemu_task_next(task, "device_del", json_texts("id", task->device, NULL), QMP_SHAPE_OBJECT,
                       on_device_del);
}
