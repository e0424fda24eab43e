/* qemu passt, made: what its adapter needs of QEMU, asked before a passt is started for it. */
#include "passt.h"

#include "base/qemu_version.h"
#include "discard.h"
#include "memory.h"
#include "refusal.h"

#include <errno.h>
#include <stdio.h>

#define CHARDEV_WAIT_US UINT64_C(20000)

/* As of a share's chardev: QEMU releases a former one when all of its threads have. */
static void remove_old_chardev(struct qemu_task *task);

static void on_chardev_removed(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (qemu_refusal_is(QEMU_REFUSAL_BUSY, reply) && qemu_task_left_ms(task) > 1 &&
        qemu_task_wait(task, CHARDEV_WAIT_US, remove_old_chardev) >= 0)
        return;
    qemu_passt_start(task);
}

static void remove_old_chardev(struct qemu_task *task)
{
    qemu_task_next(task, "chardev-remove", json_texts("id", task->backend, NULL), QMP_SHAPE_OBJECT,
                   on_chardev_removed);
}

static void on_looked(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error) {
        qemu_passt_go_on(task, reply->error, reply->text);
    } else if (qemu_discard_forbids(task)) {
        qemu_passt_go_on(task, EPERM, task->discards);
    } else {
        task->passt->discards = task->discards;
        remove_old_chardev(task);
    }
}

static void on_memory(struct qemu_task *task, const struct qmp_reply *reply)
{
    char text[DEVICE_TEXT_SIZE];

    if (reply->error == ENOTSUP) {
        (void)snprintf(text, sizeof(text), "passt needs shared guest memory: %s", reply->text);
        qemu_passt_go_on(task, ENOTSUP, text);
    } else if (reply->error) {
        qemu_passt_go_on(task, reply->error, reply->text);
    } else {
        qemu_discard_look(task, on_looked);
    }
}

void qemu_passt_make(struct qemu_task *task, qemu_step_fn ready)
{
    const char *version = qmp_version(task->qemu->qmp);
    char text[256];

    task->passt_ready = ready;
    if (qemu_version_takes_passt(version)) {
        qemu_memory_next(task, on_memory);
        return;
    }
    (void)snprintf(
        text, sizeof(text),
        "QEMU %s cannot hot-plug a vhost-user adapter (7.2 crashes); install QEMU %d.0 or later "
        "(Debian 13 has one), or use the backend \"user\"",
        version[0] ? version : "(of an unknown version)", QEMU_VERSION_FOR_PASST);
    qemu_passt_go_on(task, ENOTSUP, text);
}
