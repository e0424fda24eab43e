/* device command message: the JSON that a device host command reads and writes. */
#include "device_command_message.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* @param object  consumed */
static struct json_object *message(const struct config_vm *vm, const char *operation,
                                   const char *kind, struct json_object *object,
                                   const char *options)
{
    struct json_object *whole =
        json_members("operation", json_object_new_string(operation), "vm",
                     json_texts("name", vm->name, "id", vm->id, NULL), kind, object, NULL);

    if (options)
        json_add_text(whole, "options", options);
    return whole;
}

struct json_object *device_command_message_share(const struct config_vm *vm, const char *operation,
                                                 const struct device_share *share)
{
    struct json_object *object = json_texts("tag", share->tag, "path", share->path, NULL);

    char serving[CONFIG_SERVING_SIZE];

    json_add_flag(object, "read_only", share->read_only);
    if (config_serving_format(&share->serving, serving)[0] != '\0')
        json_add_text(object, "serving", serving);
    json_add_flag(object, "iommu_platform", share->iommu_platform);
    return message(vm, operation, "share", object, share->options);
}

struct json_object *device_command_message_adapter(const struct config_vm *vm,
                                                   const char *operation,
                                                   const struct device_adapter *adapter)
{
    const struct config_network *network = adapter->network;
    struct json_object *object;
    char mac[TEXT_MAC_SIZE];

    text_mac(network->mac, mac);
    object = json_texts("id", network->id, "mac", mac, "backend",
                        config_backend_names[network->backend], NULL);
    if (network->interface)
        json_add_text(object, "interface", network->interface);
    if (network->socket_path)
        json_add_text(object, "socket", network->socket_path);
    if (network->mtu)
        json_add_number(object, "mtu", network->mtu);
    if (network->backend == CONFIG_BACKEND_USER || network->backend == CONFIG_BACKEND_PASST)
        json_add_flag(object, "host_loopback", network->host_loopback);
    json_add_flag(object, "iommu_platform", adapter->iommu_platform);
    return message(vm, operation, "adapter", object, adapter->options);
}

struct json_object *device_command_message_removal(const struct config_vm *vm,
                                                   const char *operation, const char *kind,
                                                   const char *key, const char *name)
{
    return message(vm, operation, kind, json_texts(key, name, NULL), NULL);
}

/* A key of the answer that must be true or false if it is there. */
static bool read_flag(struct json_object *document, const char *key, bool otherwise)
{
    struct json_object *item;

    if (!json_object_object_get_ex(document, key, &item) ||
        !json_object_is_type(item, json_type_boolean))
        return otherwise;
    return json_object_get_boolean(item);
}

static void read_text(struct json_object *document, const char *key,
                      struct device_command_answer *answer)
{
    struct json_object *item;

    if (!json_object_object_get_ex(document, key, &item) ||
        !json_object_is_type(item, json_type_string))
        return;
    answer->has_text = true;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", json_object_get_string(item));
    (void)text_clean(answer->text);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

int device_command_answer_read(const char *text, bool cut, struct device_command_answer *ret_answer)
{
    struct device_command_answer answer = {.error = EPROTO, .created = true};
    struct json_object *document = cut ? NULL : json_tokener_parse(text), *code;

    if (!cut && is_blank(text)) {
        answer.error = 0;
    } else if (!json_object_is_type(document, json_type_object)) {
        (void)snprintf(answer.text, sizeof(answer.text),
                       cut ? "the answer has more than 64 KiB"
                           : "the answer is not a JSON object; expected {\"ok\": true}, "
                             "{\"error\": \"…\"} or nothing on standard output");
    } else if (read_flag(document, "ok", !json_object_object_get_ex(document, "error", NULL))) {
        answer.error = 0;
        answer.created = read_flag(document, "created", true);
        answer.iommu_platform = read_flag(document, "iommu_platform", false);
        read_text(document, "text", &answer);
    } else {
        (void)snprintf(answer.text, sizeof(answer.text),
                       "the answer has no reason; expected a string as \"error\"");
        read_text(document, "error", &answer);
        if (answer.has_text)
            answer.error = EIO;
        if (answer.has_text && json_object_object_get_ex(document, "errno", &code) &&
            json_object_get_int(code) > 0 && json_object_get_int(code) < 4096)
            answer.error = json_object_get_int(code);
        if (answer.error == ECANCELED) /* says here that nobody waits for the answer */
            answer.error = EIO;
    }
    json_object_put(document);
    *ret_answer = answer;
    return answer.error;
}
