/* plan: the daemon's side of a run, and how both sides are shown. */
#include "plan.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

/* For one VM at a time; nothing but this run's own files has it. */
#define VM_ID "0d1b6a52-5f0e-4c5b-9d43-6f7c1a2e8b90"

/* A guest that is emulated on a busy machine takes its time; who does not want to wait has
 * --timeout. */
#define PATIENCE_MS 600000u

#define EVENTS_BYTES (UINT64_C(1) << 20)

static void add_path(struct json_object *object, const char *key, const struct plan *plan,
                     const char *name)
{
    char path[FOLDER_SIZE + 32];

    (void)snprintf(path, sizeof(path), "%s/%s", plan->folder, name);
    json_add_text(object, key, path);
}

static void add_share(struct json_object *shares, const char *tag, const char *path,
                      const char *target, bool read_only)
{
    struct json_object *share =
        json_texts("tag", tag, "path", path, "target", target, "transport", "virtiofs", NULL);

    json_add_flag(share, "read_only", read_only);
    json_object_array_add(shares, share);
}

static struct json_object *make_shares(const struct request *request)
{
    struct json_object *shares = json_object_new_array();
    char tag[32];

    if (request->root != NULL)
        add_share(shares, "root", request->root, PLAN_ROOT, !request->root_rw);
    for (size_t i = 0; i < request->share_count; i++) {
        (void)snprintf(tag, sizeof(tag), "share%zu", i);
        add_share(shares, tag, request->shares[i].path, request->shares[i].target,
                  request->shares[i].read_only);
    }
    return shares;
}

/* QEMU's user-mode network as it is by default; QEMU has the adapter from the start. */
static struct json_object *make_network(void)
{
    struct json_object *list = json_object_new_array();

    json_object_array_add(
        list, json_tokener_parse("{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:56\","
                                 "\"address\": [\"10.0.2.15/24\"], \"gateway\": \"10.0.2.2\","
                                 "\"dns\": [\"10.0.2.3\"]}"));
    return list;
}

static struct json_object *make_vm(const struct plan *plan)
{
    const struct request *request = plan->request;
    struct json_object *vm = json_texts("name", PLAN_VM, "id", VM_ID, "hostname", PLAN_VM,
                                        "aperture", request->aperture, NULL);
    struct json_object *device_host = json_texts("type", "qemu", NULL);

    add_path(vm, "socket", plan, FOLDER_GUEST);
    json_add_number(vm, "memory", request->memory);
    json_add_text(vm, "networking", request->net ? "nat" : "none");
    if (strcmp(request->aperture, "require") == 0)
        json_add_text(vm, "swiotlb", "64M");
    else if (strcmp(request->aperture, "off") == 0)
        json_add_text(vm, "swiotlb", "off");
    json_object_object_add(vm, "shares", make_shares(request));
    if (request->net)
        json_object_object_add(vm, "network", make_network());
    add_path(device_host, "qmp", plan, FOLDER_QMP);
    if (request->virtiofsd != NULL)
        json_add_text(device_host, "virtiofsd", request->virtiofsd);
    json_object_object_add(vm, "device_host", device_host);
    return vm;
}

struct json_object *plan_make_config(const struct plan *plan)
{
    struct json_object *config = json_object_new_object(), *vms = json_object_new_array();
    struct json_object *telemetry = json_object_new_object();
    struct json_object *timeouts = json_object_new_object();

    add_path(telemetry, "file", plan, FOLDER_EVENTS);
    json_add_number(telemetry, "max_bytes", EVENTS_BYTES);
    json_add_number(telemetry, "keep", 1);
    json_add_flag(telemetry, "journal", false);
    json_add_number(timeouts, "connect", PATIENCE_MS);
    json_add_number(timeouts, "capabilities", PATIENCE_MS);
    json_object_array_add(vms, make_vm(plan));

    add_path(config, "control", plan, FOLDER_CONTROL);
    json_object_object_add(config, "control_group", NULL);
    add_path(config, "state_dir", plan, FOLDER_STATE);
    json_object_object_add(config, "telemetry", telemetry);
    json_object_object_add(config, "timeouts_ms", timeouts);
    json_object_object_add(config, "vms", vms);
    return config;
}

/* A word as a shell reads it. */
static void print_word(const char *word)
{
    if (word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                          "-_=+,./:@%")] == '\0' &&
        *word != '\0') {
        (void)fputs(word, stdout);
        return;
    }
    (void)putchar('\'');
    for (; *word != '\0'; word++)
        if (*word == '\'')
            (void)fputs("'\\''", stdout);
        else
            (void)putchar(*word);
    (void)putchar('\'');
}

void plan_print(struct json_object *config, const struct words *qemu)
{
    (void)puts(json_object_to_json_string_ext(config, JSON_C_TO_STRING_PRETTY |
                                                          JSON_C_TO_STRING_SPACED |
                                                          JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)printf("// QEMU, with descriptor %d for the guest's console:\n// ", PLAN_CONSOLE_FD);
    for (size_t i = 0; i < qemu->count; i++) {
        if (i > 0)
            (void)fputs(qemu->items[i][0] == '-' ? " \\\n//     " : " ", stdout);
        print_word(qemu->items[i]);
    }
    (void)putchar('\n');
}
