/* new vm: built by json-c, written into the file's text at the place that the parser tells. */
#include "new_vm.h"

#include "base/json.h"
#include "base/text.h"
#include "command.h"
#include "config/json.h"
#include "config/text.h"
#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

/* A host that is a VM itself often has 3. */
#define CID_FIRST 4u

/* Enough for a pool of 64 MiB by default: policy.h. */
#define MEMORY "1280M"

#define FLAGS (JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static uint32_t choose_cid(const struct config *config)
{
    uint32_t cid = CID_FIRST;

    for (size_t i = 0; i < config->vm_count;)
        if (config->vms[i++].cid == cid) {
            cid++;
            i = 0;
        }
    return cid;
}

static bool has_tag(struct json_object *shares, const char *tag)
{
    for (size_t i = 0; i < json_count(shares); i++)
        if (strcmp(command_text(json_element(shares, i), "tag"), tag) == 0)
            return true;
    return false;
}

/* PATH:TARGET[:ro|:rw]. A path may have colons, a target has none. */
static bool add_share(struct json_object *shares, const char *text)
{
    size_t size = strlen(text);
    bool read_only = size > 3 && strcmp(text + size - 3, ":ro") == 0;
    bool writable = size > 3 && strcmp(text + size - 3, ":rw") == 0;
    char *copy = strndup(text, read_only || writable ? size - 3 : size), *path, tag[64];
    char *colon = copy != NULL ? strrchr(copy, ':') : NULL;
    struct stat status = {0};
    struct json_object *share;

    if (colon == NULL || colon[1] != '/') {
        say_error("cannot read --share \"%s\": expected PATH:TARGET or PATH:TARGET:ro, with a "
                  "TARGET that begins with /",
                  text);
        free(copy);
        return false;
    }
    *colon = '\0';
    path = copy[0] == '/' ? strdup(copy) : realpath(copy, NULL);
    if (path == NULL || stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        say_error("cannot share \"%s\": %s; create that folder first", copy,
                  status.st_mode != 0 ? strerror(ENOTDIR) : strerror(errno));
        free(path);
        free(copy);
        return false;
    }
    (void)snprintf(tag, sizeof(tag), "%s", strrchr(colon + 1, '/') + 1);
    if (config_text_check_tag(tag) != NULL || has_tag(shares, tag))
        (void)snprintf(tag, sizeof(tag), "share%zu", json_count(shares));
    share = json_texts("tag", tag, "path", path, "target", colon + 1, NULL);
    if (read_only)
        json_add_flag(share, "read_only", true);
    json_object_array_add(shares, share);
    free(path);
    free(copy);
    return true;
}

/* QEMU's user network, with the addresses that it has by default. */
static struct json_object *make_network(const uint8_t random[3])
{
    struct json_object *list = json_object_new_array(), *addresses = json_object_new_array();
    struct json_object *servers = json_object_new_array(), *adapter;
    char mac[TEXT_MAC_SIZE];

    text_mac((const uint8_t[6]){0x52, 0x54, 0, random[0], random[1], random[2]}, mac);
    adapter = json_texts("id", "eth0", "mac", mac, NULL);
    json_object_array_add(addresses, json_object_new_string("10.0.2.15/24"));
    json_object_object_add(adapter, "address", addresses);
    json_add_text(adapter, "gateway", "10.0.2.2");
    json_object_array_add(servers, json_object_new_string("10.0.2.3"));
    json_object_object_add(adapter, "dns", servers);
    json_object_array_add(list, adapter);
    return list;
}

struct json_object *new_vm_make(const char *name, const struct options *options,
                                const struct config *config)
{
    struct json_object *vm, *shares = json_object_new_array();
    char text[128], id[TEXT_UUID_SIZE];
    uint64_t memory = 0;
    sd_id128_t random;

    if (config_text_parse_memory(options->memory ? options->memory : MEMORY, &memory) < 0) {
        say_error("cannot use --memory \"%s\": expected " CONFIG_TEXT_MEMORY, options->memory);
        json_object_put(shares);
        return NULL;
    }
    for (size_t i = 0; i < options->shares.count; i++)
        if (!add_share(shares, options->shares.items[i])) {
            json_object_put(shares);
            return NULL;
        }
    (void)sd_id128_randomize(&random);
    text_uuid(random.bytes, id);
    vm = json_texts("name", name, "id", id, NULL);
    json_add_number(vm, "cid", (options->given & OPTIONS_CID) ? options->cid : choose_cid(config));
    (void)snprintf(text, sizeof(text), "%" PRIu64 "M", memory >> 20);
    json_add_text(vm, "memory", text);
    if (config_text_check_hostname(name) == NULL)
        json_add_text(vm, "hostname", name);
    if (json_count(shares) > 0)
        json_object_object_add(vm, "shares", shares);
    else
        json_object_put(shares);
    if (options->given & OPTIONS_NETWORK)
        json_object_object_add(vm, "network", make_network(random.bytes));
    (void)snprintf(text, sizeof(text), "/run/guestlink/vm/%s/qmp.sock", name);
    json_object_object_add(vm, "device_host", json_texts("type", "qemu", "qmp", text, NULL));
    return vm;
}

/* A line a member, and a line for each share and adapter. */
static void write_vm(FILE *to, struct json_object *vm)
{
    const char *separator = "{";

    json_object_object_foreach(vm, key, value)
    {
        bool list = json_object_is_type(value, json_type_array);

        (void)fprintf(to, "%s\n      \"%s\": ", separator, key);
        for (size_t i = 0; list && i < json_count(value); i++)
            (void)fprintf(to, "%s\n        %s", i == 0 ? "[" : ",",
                          json_object_to_json_string_ext(json_element(value, i), FLAGS));
        (void)fputs(list ? "\n      ]" : json_object_to_json_string_ext(value, FLAGS), to);
        separator = ",";
    }
    (void)fputs("\n    }", to);
}

int new_vm_insert(const char *text, size_t size, struct json_object *vm, char **ret_text)
{
    struct config_json_error error;
    struct config_json *root = NULL;
    const struct config_json *vms = NULL;
    size_t bracket, place, last, all;
    FILE *to;
    int r = config_json_parse(text, size, &error, &root);

    if (r == 0 && root->type == CONFIG_JSON_OBJECT)
        vms = config_json_find(root, "vms");
    if (vms == NULL || vms->type != CONFIG_JSON_LIST) {
        (void)config_json_free(root);
        return r < 0 ? r : -EINVAL;
    }
    bracket = vms->end - 1;
    last = vms->last != NULL ? vms->last->end : 0;
    (void)config_json_free(root);
    /* Behind the last line of the list: it may be a comment. */
    for (place = bracket; place > last && strchr(" \t\r\n", text[place - 1]) != NULL;)
        place--;
    to = open_memstream(ret_text, &all);
    if (to == NULL)
        return -ENOMEM;
    (void)fwrite(text, 1, last, to);
    (void)fputs(last != 0 ? "," : "", to);
    (void)fwrite(text + last, 1, place - last, to);
    (void)fputs("\n    ", to);
    write_vm(to, vm);
    if (memchr(text + place, '\n', bracket - place) == NULL) {
        (void)fputs("\n  ", to);
        place = bracket;
    }
    (void)fwrite(text + place, 1, size - place, to);
    return fclose(to) == 0 ? 0 : -ENOMEM;
}
