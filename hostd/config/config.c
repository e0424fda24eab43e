/* config: the keys of the whole file, the defaults, and the way from a file to a struct. */
#include "config.h"

#include "claims.h"
#include "json.h"
#include "protocol/limits.h"
#include "reader.h"
#include "strings.h"
#include "text.h"
#include "unique.h"
#include "vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* 16 MiB is a hundred times what 1,000 VMs need. */
#define FILE_BYTES (UINT64_C(16) << 20)
#define VMS        16384u
/* See check_state_dir(). */
#define STATE_DIR_BYTES 65u

static const struct config_timeouts default_timeouts = {
    .connect = 60000,      /* firmware, boot loader, kernel and its PID 1, without KVM */
    .capabilities = 30000, /* the reference system's kernel boot timeout */
    .device = 20000,
    .mount = 30000,
    .network = 30000,
    .payload = 30000,
    .shut_down = 10000, /* what a container runtime gives, too */
    .silence = 15000,   /* PID 1 asks after 5 s, and gives its host 10 more */
};

static const struct config_limits default_limits = {
    .connections = 4096,
    .connections_per_vm = 32, /* the accepted one and 31 in the handshake: PID 1 greets before as
                               * many others, started meanwhile in its guest, have called */
    .connection_bytes = LIMITS_CONNECTION_BYTES,
    .guest_events_per_s = 10,
    .guest_events_burst = 200, /* a boot with dozens of devices must fit */
    .payload_output_per_s = 4096,
    .payload_output_burst = 65536,
};

static void read_limits(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    static const struct config_field fields[] = {
        CONFIG_KEY(config_limits, connections, u32, .min = 1, .max = 65536),
        CONFIG_KEY(config_limits, connections_per_vm, u32, .min = 1, .max = 64),
        /* one whole frame in and one out must fit */
        CONFIG_KEY(config_limits, connection_bytes, u32, .min = UINT64_C(2) * 65552,
                   .max = 16777216),
        CONFIG_KEY(config_limits, guest_events_per_s, u32, .min = 1, .max = 100000),
        CONFIG_KEY(config_limits, guest_events_burst, u32, .min = 1, .max = 1000000),
        CONFIG_KEY(config_limits, payload_output_per_s, u32, .min = 1, .max = 1000000),
        CONFIG_KEY(config_limits, payload_output_burst, u32, .min = 1, .max = 1000000000),
    };

    (void)field;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), to);
}

/* null is how a file says that it wants none. */
static void config_read_text_or_null(struct config_reader *reader, const struct config_json *node,
                                     const struct config_field *field, void *to)
{
    char **text = to;

    if (node->type != CONFIG_JSON_NULL) {
        config_read_text(reader, node, field, to);
        return;
    }
    free(*text);
    *text = NULL;
}

static void read_telemetry(struct config_reader *reader, const struct config_json *node,
                           const struct config_field *field, void *to)
{
    static const struct config_field fields[] = {
        CONFIG_KEY(config_telemetry, file, text_or_null, .check = config_text_check_path),
        /* no line is longer than 64 KiB: one must fit a file */
        CONFIG_KEY(config_telemetry, max_bytes, size, .min = 65536, .max = UINT64_C(1) << 40),
        CONFIG_KEY(config_telemetry, keep, u32, .max = 100),
        CONFIG_KEY(config_telemetry, journal, bool),
    };

    (void)field;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), to);
}

static void read_libvirt(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to)
{
    static const struct config_field fields[] = {
        CONFIG_KEY(config_libvirt, uri, text, .check = config_text_check_uri),
        CONFIG_KEY(config_libvirt, discover, bool),
    };
    struct config_libvirt *libvirt = to;

    (void)field;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), libvirt);
    if (libvirt->uri == NULL && (libvirt->uri = strdup(CONFIG_LIBVIRT_URI)) == NULL)
        reader->out_of_memory = true;
}

static void read_vms(struct config_reader *reader, const struct config_json *node,
                     const struct config_field *field, void *to)
{
    struct config *config = to;
    void *vms;

    (void)field;
    if (!config_reader_list(reader, node, VMS, sizeof(*config->vms), &vms))
        return;
    config->vms = vms;
    config->vm_count = node->count;
    for (const struct config_json *one = node->first; one != NULL; one = one->next) {
        config_vm_init(&config->vms[one->index], &config->timeouts);
        config_vm_read(reader, one, &config->vms[one->index]);
    }
    config_unique_check(reader, node, config);
}

#define AT(member) offsetof(struct config, member)

static const struct config_field fields[] = {
    CONFIG_KEY(config, listen, texts, .max = 16, .check = config_text_check_listen),
    CONFIG_KEY(config, control, text, .check = config_text_check_socket),
    CONFIG_KEY(config, control_group, text_or_null, .check = config_text_check_group),
    CONFIG_KEY(config, metrics, text_or_null, .check = config_text_check_socket),
    CONFIG_KEY(config, state_dir, text, .check = config_text_check_path),
    {.key = "telemetry", .read = read_telemetry, .offset = AT(telemetry)},
    {.key = "handshake_timeout_ms",
     .read = config_read_u32,
     .offset = AT(timeouts.capabilities),
     .min = 1,
     .max = 3600000},
    {.key = "limits", .read = read_limits, .offset = AT(limits)},
    {.key = "libvirt", .read = read_libvirt, .offset = AT(libvirt)},
    {.key = "timeouts_ms", .read = config_vm_read_timeouts, .offset = AT(timeouts)},
    /* last: its VMs start from the time-outs above */
    {.key = "vms", .read = read_vms, .required = true},
};

/* Below state_dir stands /fs/, a hash of a VM's id, and the socket's own name: 107 bytes in all. */
static void check_state_dir(struct config_reader *reader, const struct config_json *root,
                            const struct config *config)
{
    const struct config_json *node = config_json_find(root, "state_dir");
    bool qemu = false, needed = false;

    if (node == NULL || strlen(config->state_dir) <= STATE_DIR_BYTES)
        return;
    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_vm *vm = &config->vms[i];

        if (!config_vm_has_qemu(vm))
            continue;
        qemu = true;
        for (size_t k = 0; vm->virtio && vm->virtiofs && k < vm->share_count; k++)
            needed = needed || vm->shares[k].transport != CONFIG_TRANSPORT_9P;
    }
    if (needed)
        config_reader_error(reader, node,
                            "%zu bytes, expected at most %u: virtiofsd's sockets are in this "
                            "folder, and a socket's path has at most 107",
                            strlen(config->state_dir), STATE_DIR_BYTES);
    else if (qemu)
        config_reader_warn(reader, node,
                           "%zu bytes, expected at most %u: virtiofsd's sockets in this folder "
                           "would have too long a path; no share and no passt adapter can be "
                           "added",
                           strlen(config->state_dir), STATE_DIR_BYTES);
}

/* What hangs between keys of the top. */
static void finish(struct config_reader *reader, const struct config_json *root,
                   struct config *config)
{
    const struct config_json *timeouts = config_json_find(root, "timeouts_ms");
    const struct config_json *handshake = config_json_find(root, "handshake_timeout_ms");
    char port[32];

    config_claims_check(reader, root, config);
    check_state_dir(reader, root, config);
    if (handshake != NULL && timeouts != NULL && config_json_find(timeouts, "capabilities") != NULL)
        config_reader_error(reader, handshake,
                            "the same setting as timeouts_ms.capabilities, expected one of them");
    if (config_json_find(root, "listen") != NULL)
        return;
    for (size_t i = 0; i < config->vm_count; i++) {
        if (config->vms[i].cid != 0 && config->vms[i].socket == NULL) {
            (void)snprintf(port, sizeof(port), "vsock::%u", LIMITS_PORT);
            if (config_strings_add(&config->listen, port) < 0)
                reader->out_of_memory = true;
            return;
        }
    }
}

void config_tell_unreachable(const struct config *config, config_remark_fn on_warning,
                             void *userdata)
{
    char text[1024];

    for (size_t i = 0; i < config->listen.count; i++) {
        if (strncmp(config->listen.items[i], "vsock:", 6) == 0 || config->vm_count == 1)
            return; /* the only VM may call on a unix: socket, too */
    }
    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_vm *vm = &config->vms[i];

        if (vm->socket != NULL)
            continue;
        (void)snprintf(text, sizeof(text),
                       "%.400s:%u: vm %s: cid: listen has no vsock address, expected "
                       "\"vsock::%u\" there or a \"socket\" for the VM; unless systemd passes a "
                       "vsock socket, its guest cannot connect",
                       config->file, vm->line, vm->name, LIMITS_PORT);
        on_warning(userdata, text);
    }
}

static struct config *new_with_defaults(const char *name)
{
    struct config *config = calloc(1, sizeof(*config));

    if (config == NULL)
        return NULL;
    config->file = strdup(name);
    config->control = strdup("/run/guestlink/control.sock");
    config->control_group = strdup("guestlink");
    config->state_dir = strdup("/var/lib/guestlink");
    config->telemetry.file = strdup("/var/log/guestlink/telemetry.jsonl");
    config->telemetry.max_bytes = UINT64_C(16) << 20;
    config->telemetry.keep = 4;
    config->telemetry.journal = true;
    config->limits = default_limits;
    config->timeouts = default_timeouts;
    if (config->file == NULL || config->control == NULL || config->control_group == NULL ||
        config->state_dir == NULL || config->telemetry.file == NULL)
        return config_free(config);
    return config;
}

static int read_root(struct config_reader *reader, const struct config_json *root,
                     struct config **ret_config)
{
    struct config *config = new_with_defaults(reader->name);

    if (config == NULL)
        return -ENOMEM;
    config_reader_object(reader, root, CONFIG_FIELDS(fields), config);
    if (root->type == CONFIG_JSON_OBJECT)
        finish(reader, root, config);
    if (reader->out_of_memory || reader->errors > 0) {
        (void)config_free(config);
        return reader->out_of_memory ? -ENOMEM : 1;
    }
    *ret_config = config;
    return 0;
}

int config_parse(const char *text, size_t size, const char *name, config_remark_fn on_warning,
                 config_remark_fn on_error, void *userdata, struct config **ret_config)
{
    struct config_reader reader = {
        .name = name, .on_warning = on_warning, .on_error = on_error, .userdata = userdata};
    struct config_json_error error;
    struct config_json *root = NULL;
    int r;

    r = config_json_parse(text, size, &error, &root);
    if (r == 1) {
        const struct config_json place = {.line = error.line};

        config_reader_error(&reader, &place, "%s", error.text);
    }
    if (r != 0)
        return r;
    r = read_root(&reader, root, ret_config);
    (void)config_json_free(root);
    return r;
}

static void tell_unreadable(const char *file, config_remark_fn on_error, void *userdata,
                            const char *reason)
{
    char text[5000];

    (void)snprintf(
        text, sizeof(text),
        "cannot read the configuration \"%.4000s\": %s; not using this file; expected one "
        "that exists, that this user can read, and of at most 16 MiB",
        file, reason);
    if (on_error != NULL)
        on_error(userdata, text);
}

/* @return 0 with the text, malloc()ed, or -errno */
static int read_file(const char *file, char **ret_text, size_t *ret_size, mode_t *ret_mode)
{
    FILE *stream = fopen(file, "re");
    struct stat status = {0};
    size_t size = 0, capacity = 0;
    char *text = NULL;
    int r = stream == NULL || fstat(fileno(stream), &status) < 0 ? -errno : 0;

    while (r == 0) {
        if (size == capacity) {
            char *grown = realloc(text, capacity = capacity == 0 ? 16384 : capacity * 2);

            if (grown == NULL) {
                r = -ENOMEM;
                break;
            }
            text = grown;
        }
        size += fread(text + size, 1, capacity - size, stream);
        if (ferror(stream))
            r = errno > 0 ? -errno : -EIO;
        else if (size > FILE_BYTES)
            r = -EFBIG;
        else if (feof(stream))
            break;
    }
    if (stream != NULL)
        (void)fclose(stream);
    if (r < 0) {
        free(text);
        return r;
    }
    *ret_text = text;
    *ret_size = size;
    *ret_mode = status.st_mode;
    return 0;
}

/* A payload's environment is where people put passwords. */
static void tell_exposed(const struct config *config, mode_t mode, config_remark_fn on_warning,
                         void *userdata)
{
    char text[5000];

    for (size_t i = 0; i < config->vm_count && (mode & S_IROTH); i++) {
        const struct config_vm *vm = &config->vms[i];

        if (vm->payload.environment.count == 0)
            continue;
        (void)snprintf(text, sizeof(text),
                       "%s:%u: vm %s: payload.environment: every user of this host can read "
                       "these variables (file mode %04o), expected mode 0640 or less; run chmod "
                       "0640 %s",
                       config->file, vm->line, vm->name, mode & 07777u, config->file);
        on_warning(userdata, text);
        return;
    }
}

int config_load(const char *file, config_remark_fn on_warning, config_remark_fn on_error,
                void *userdata, struct config **ret_config)
{
    char *text;
    size_t size;
    mode_t mode;
    int r;

    r = read_file(file, &text, &size, &mode);
    if (r < 0) {
        tell_unreadable(file, on_error, userdata, r == -EFBIG ? "more than 16 MiB" : strerror(-r));
        return r;
    }
    r = config_parse(text, size, file, on_warning, on_error, userdata, ret_config);
    if (r < 0)
        tell_unreadable(file, on_error, userdata, strerror(-r));
    else if (r == 0 && on_warning != NULL)
        tell_exposed(*ret_config, mode, on_warning, userdata);
    free(text);
    return r;
}

struct config *config_free(struct config *config)
{
    if (config == NULL)
        return NULL;
    free(config->file);
    config_strings_done(&config->listen);
    free(config->control);
    free(config->control_group);
    free(config->metrics);
    free(config->state_dir);
    free(config->telemetry.file);
    free(config->libvirt.uri);
    for (size_t i = 0; i < config->vm_count; i++)
        config_vm_done(&config->vms[i]);
    free(config->vms);
    free(config);
    return NULL;
}
