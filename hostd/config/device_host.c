/* config device host: the keys of a device host, of which each type has its own. */
#include "vm.h"

#include "strings.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

const char *const config_device_host_names[] = {"none", "qemu", "command", "libvirt", NULL};

static const struct config_field fields[] = {
    CONFIG_KEY(config_device_host, type, enum, .required = true, .names = config_device_host_names),
    CONFIG_KEY(config_device_host, qmp, text, .check = config_text_check_socket),
    CONFIG_KEY(config_device_host, uri, text, .check = config_text_check_uri),
    CONFIG_KEY(config_device_host, domain, text, .check = config_text_check_domain),
    CONFIG_KEY(config_device_host, virtiofsd, text, .check = config_text_check_path),
    CONFIG_KEY(config_device_host, passt, text, .check = config_text_check_path),
    CONFIG_KEY(config_device_host, argv, texts, .min = 1, .max = 64,
               .check = config_text_check_word),
    CONFIG_KEY(config_device_host, timeout_ms, u32, .min = 1, .max = 3600000),
};

static void refuse_key(struct config_reader *reader, const struct config_json *node,
                       const char *key, const char *type)
{
    const struct config_json *child = config_json_find(node, key);

    if (child != NULL)
        config_reader_error(reader, child, "expected only with \"type\": %s", type);
}

static unsigned find_line(const struct config_json *node, const char *key)
{
    const struct config_json *child = config_json_find(node, key);

    return child != NULL ? child->line : 0;
}

void config_device_host_read(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to)
{
    struct config_device_host *host = to;
    unsigned errors = reader->errors;

    (void)field;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), host);
    host->virtiofsd_line = find_line(node, "virtiofsd");
    host->passt_line = find_line(node, "passt");
    if (reader->errors != errors)
        return;
    if (host->type != CONFIG_DEVICE_HOST_QEMU) {
        refuse_key(reader, node, "qmp", "\"qemu\"");
    } else if (host->qmp == NULL) {
        config_reader_error(reader, node, "no key `qmp`, expected the path of QEMU's QMP socket");
    }
    if (host->type != CONFIG_DEVICE_HOST_LIBVIRT) {
        refuse_key(reader, node, "uri", "\"libvirt\"");
        refuse_key(reader, node, "domain", "\"libvirt\"");
    } else if (host->uri == NULL && (host->uri = strdup(CONFIG_LIBVIRT_URI)) == NULL) {
        reader->out_of_memory = true;
    }
    if (host->type != CONFIG_DEVICE_HOST_QEMU && host->type != CONFIG_DEVICE_HOST_LIBVIRT) {
        refuse_key(reader, node, "virtiofsd", "\"qemu\" or \"libvirt\"");
        refuse_key(reader, node, "passt", "\"qemu\" or \"libvirt\"");
    }
    if (host->type != CONFIG_DEVICE_HOST_COMMAND)
        refuse_key(reader, node, "argv", "\"command\"");
    else if (host->argv.count == 0 && GUESTLINK_DEVICE_HOST[0] == '\0')
        config_reader_error(reader, node,
                            "no key `argv`, expected the program and its arguments (this "
                            "guestlink-hostd was built without a default program)");
    else if (host->argv.count == 0 && config_strings_add(&host->argv, GUESTLINK_DEVICE_HOST) < 0)
        reader->out_of_memory = true;
    else if (host->argv.count > 0 && host->argv.items[0][0] == '\0')
        config_reader_error(reader, node, "an empty first word, expected a program");
}

void config_device_host_name_domain(struct config_reader *reader, struct config_device_host *host,
                                    const char *name)
{
    if (host->type != CONFIG_DEVICE_HOST_LIBVIRT || host->domain != NULL || name == NULL)
        return;
    host->domain = strdup(name);
    reader->out_of_memory = reader->out_of_memory || host->domain == NULL;
}

bool config_device_host_equal(const struct config_device_host *a,
                              const struct config_device_host *b)
{
    return a->type == b->type && config_text_equal(a->qmp, b->qmp) &&
           config_text_equal(a->uri, b->uri) && config_text_equal(a->domain, b->domain) &&
           config_text_equal(a->virtiofsd, b->virtiofsd) && config_text_equal(a->passt, b->passt) &&
           config_strings_equal(&a->argv, &b->argv) && a->timeout_ms == b->timeout_ms;
}

void config_device_host_done(struct config_device_host *host)
{
    free(host->qmp);
    free(host->uri);
    free(host->domain);
    free(host->virtiofsd);
    free(host->passt);
    config_strings_done(&host->argv);
}
