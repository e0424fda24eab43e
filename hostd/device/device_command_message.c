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

    if (whole && options)
        (void)json_object_object_add(whole, "options", json_object_new_string(options));
    return whole;
}

struct json_object *device_command_message_share(const struct config_vm *vm, const char *operation,
                                                 const struct device_share *share)
{
    struct json_object *object = json_texts("tag", share->tag, "path", share->path, NULL);

    if (object) {
        (void)json_object_object_add(object, "read_only",
                                     json_object_new_boolean(share->read_only));
        (void)json_object_object_add(object, "iommu_platform",
                                     json_object_new_boolean(share->iommu_platform));
    }
    return message(vm, operation, "share", object, share->options);
}

struct json_object *device_command_message_adapter(const struct config_vm *vm,
                                                   const char *operation,
                                                   const struct device_adapter *adapter)
{
    static const char *const backends[] = {
        [CONFIG_BACKEND_USER] = "user",
        [CONFIG_BACKEND_TAP] = "tap",
        [CONFIG_BACKEND_STREAM] = "stream",
    };
    const struct config_network *network = adapter->network;
    struct json_object *object;
    char mac[18];

    (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", network->mac[0],
                   network->mac[1], network->mac[2], network->mac[3], network->mac[4],
                   network->mac[5]);
    object = json_texts("id", network->id, "mac", mac, "backend", backends[network->backend], NULL);
    if (object) {
        if (network->interface)
            (void)json_object_object_add(object, "interface",
                                         json_object_new_string(network->interface));
        if (network->socket_path)
            (void)json_object_object_add(object, "socket",
                                         json_object_new_string(network->socket_path));
        if (network->mtu)
            (void)json_object_object_add(object, "mtu",
                                         json_object_new_int64((int64_t)network->mtu));
        if (network->backend == CONFIG_BACKEND_USER)
            (void)json_object_object_add(object, "host_loopback",
                                         json_object_new_boolean(network->host_loopback));
        (void)json_object_object_add(object, "iommu_platform",
                                     json_object_new_boolean(adapter->iommu_platform));
    }
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
                       cut ? "its answer has more than 64 KiB"
                           : "its answer is not a JSON object; expected {\"ok\": true}, "
                             "{\"error\": \"…\"} or nothing on its standard output");
    } else if (read_flag(document, "ok", !json_object_object_get_ex(document, "error", NULL))) {
        answer.error = 0;
        answer.created = read_flag(document, "created", true);
        answer.iommu_platform = read_flag(document, "iommu_platform", false);
        read_text(document, "text", &answer);
    } else {
        (void)snprintf(answer.text, sizeof(answer.text),
                       "its answer has no reason; expected a text as \"error\"");
        read_text(document, "error", &answer);
        if (answer.has_text)
            answer.error = EIO;
        if (answer.has_text && json_object_object_get_ex(document, "errno", &code) &&
            json_object_get_int(code) > 0 && json_object_get_int(code) < 4096)
            answer.error = json_object_get_int(code);
    }
    json_object_put(document);
    *ret_answer = answer;
    return answer.error;
}
