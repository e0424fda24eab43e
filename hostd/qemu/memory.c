/*
 * qemu memory: all backends shared, or none, is plain from one answer. Else each that is not shared
 * is looked at: is it the machine's, a DIMM's, or a NUMA node's, which QEMU puts into a container
 * of the machine's?
 */
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OBJECTS "/objects/"

static void judge(struct qemu_task *task, int error, const char *text)
{
    const struct qmp_reply reply = {.error = error, .text = text};

    json_object_put(task->memories);
    task->memories = NULL;
    task->memory_judged(task, &reply);
}

static void refuse(struct qemu_task *task, const char *id)
{
    char text[512];

    if (id)
        (void)snprintf(text, sizeof(text), "the guest's memory backend \"%.64s\" is not shared; ",
                       id);
    else
        (void)snprintf(text, sizeof(text), "the guest's RAM is not shared; ");
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", QEMU_MEMORY_ADVICE);
    judge(task, ENOTSUP, text);
}

/* @return its id, if it is not shared; else NULL. One without an id is nobody's RAM. */
static const char *unshared(const struct qemu_task *task, size_t i)
{
    struct json_object *memory = json_element(task->memories, i);

    return qmp_reader_flag(json_member(memory, "share"))
               ? NULL
               : qmp_reader_text(json_member(memory, "id"));
}

/* @param path  "/objects/mem", or "mem" as QEMUs up to 6.2 say. @return the backend, if it is not
 * shared; else NULL */
static const char *find_unshared(const struct qemu_task *task, const char *path)
{
    const char *wanted = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    for (size_t i = 0; i < json_count(task->memories); i++) {
        const char *id = unshared(task, i);

        if (id && strcmp(id, wanted) == 0)
            return id;
    }
    return NULL;
}

static void next_node(struct qemu_task *task);

static void on_container(struct qemu_task *task, const struct qmp_reply *reply)
{
    static const char *const devices[] = {"/machine/peripheral", "/machine/unattached"};
    const char *path = reply->error ? NULL : qmp_reader_text(reply->result);
    /* machines of QEMU 4.0 and before name a backend's region otherwise: better refused than lost
     */
    bool ram = reply->error == EREMOTEIO || (path && strncmp(path, "/machine/", 9) == 0);

    for (size_t i = 0; path && ram && i < sizeof(devices) / sizeof(devices[0]); i++)
        ram = strncmp(path, devices[i], strlen(devices[i])) != 0;
    if (ram) {
        refuse(task, unshared(task, task->memory));
    } else if (reply->error) {
        judge(task, reply->error, reply->text);
    } else {
        task->memory++;
        next_node(task);
    }
}

/* Of a machine whose RAM is that of its NUMA nodes. */
static void next_node(struct qemu_task *task)
{
    const char *id = NULL;
    char path[2 * QMP_TEXT_MAX + 32];

    while (task->memory < json_count(task->memories) && !(id = unshared(task, task->memory)))
        task->memory++;
    if (!id) {
        judge(task, 0, NULL);
        return;
    }
    (void)snprintf(path, sizeof(path), OBJECTS "%s/%s[0]", id, id);
    qemu_task_next(task, "qom-get", json_texts("path", path, "property", "container", NULL),
                   QMP_SHAPE_TEXT, on_container);
}

static void on_devices(struct qemu_task *task, const struct qmp_reply *reply)
{
    if (reply->error && reply->error != EREMOTEIO) { /* refused: a machine without any */
        judge(task, reply->error, reply->text);
        return;
    }
    for (size_t i = 0; i < json_count(reply->result); i++) {
        struct json_object *device = json_element(reply->result, i);
        const char *type = qmp_reader_text(json_member(device, "type"));
        const char *memory = qmp_reader_text(json_member(json_member(device, "data"), "memdev"));
        const char *id = memory && (strcmp(type, "dimm") == 0 || strcmp(type, "virtio-mem") == 0)
                             ? find_unshared(task, memory)
                             : NULL;

        if (id) {
            refuse(task, id);
            return;
        }
    }
    if (task->memory_is_of_nodes)
        next_node(task);
    else
        judge(task, 0, NULL);
}

static void on_machine(struct qemu_task *task, const struct qmp_reply *reply)
{
    const char *path = reply->error ? "" : qmp_reader_text(reply->result);
    const char *id = find_unshared(task, path);

    if (reply->error && reply->error != EREMOTEIO) {
        judge(task, reply->error, reply->text);
    } else if (id) {
        refuse(task, id);
    } else {
        task->memory_is_of_nodes = path[0] == '\0';
        qemu_task_next(task, "query-memory-devices", NULL, QMP_SHAPE_MEMORY_DEVICES, on_devices);
    }
}

static void on_memories(struct qemu_task *task, const struct qmp_reply *reply)
{
    size_t shared = 0, count = json_count(reply->result);

    for (size_t i = 0; i < count; i++)
        shared += qmp_reader_flag(json_member(json_element(reply->result, i), "share"));
    if (reply->error) {
        judge(task, reply->error, reply->text);
    } else if (shared == 0) {
        refuse(task, NULL);
    } else if (shared == count) {
        judge(task, 0, NULL);
    } else {
        task->memories = json_object_get(reply->result);
        task->memory = 0;
        qemu_task_next(task, "qom-get",
                       json_texts("path", "/machine", "property", "memory-backend", NULL),
                       QMP_SHAPE_TEXT, on_machine);
    }
}

int qemu_memory_begin(struct qemu_task *task, qemu_step_fn judged)
{
    task->memory_judged = judged;
    return qemu_task_begin(task, "query-memdev", NULL, QMP_SHAPE_MEMORIES, on_memories);
}

void qemu_memory_next(struct qemu_task *task, qemu_step_fn judged)
{
    task->memory_judged = judged;
    qemu_task_next(task, "query-memdev", NULL, QMP_SHAPE_MEMORIES, on_memories);
}
