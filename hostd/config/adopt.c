/* config adopt: a VM that is not in the file, but in the metadata of a domain of libvirt's. */
#include "json.h"
#include "strings.h"
#include "text.h"
#include "vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FATE "; not using the domain's element"

/* The domain itself says who gives the VM its devices; programs are not a domain's to choose. */
static int name_host(struct config_vm *vm, const struct config_found *found)
{
    vm->device_host.type = CONFIG_DEVICE_HOST_LIBVIRT;
    vm->device_host.uri = strdup(found->uri);
    vm->device_host.domain = strdup(found->domain);
    return vm->device_host.uri != NULL && vm->device_host.domain != NULL ? 0 : -ENOMEM;
}

/* What the domain knows, and the element need not say. */
static int fill_in(struct config_reader *reader, const struct config_json *root,
                   const struct config_found *found, struct config_vm *vm)
{
    const char *expected = config_text_check_vm_name(found->domain);

    if (config_json_find(root, "device_host") != NULL)
        config_reader_error(reader, config_json_find(root, "device_host"),
                            "expected none: the domain is the device host");
    if (config_json_find(root, "name") == NULL && expected != NULL)
        config_reader_error(reader, root,
                            "no key `name`, and the domain's name is not a VM's "
                            "(%s)",
                            expected);
    else if (config_json_find(root, "name") == NULL && (vm->name = strdup(found->domain)) == NULL)
        return -ENOMEM;
    if (config_json_find(root, "id") == NULL && !config_text_parse_uuid(found->id, vm->id))
        config_reader_error(reader, root, "no key `id`, and the domain has no UUID");
    if (config_json_find(root, "cid") == NULL && config_json_find(root, "socket") == NULL)
        vm->cid = found->cid;
    return name_host(vm, found);
}

/* True if another VM is known by the same. */
static bool is_taken(const struct config *config, const struct config_vm *vm,
                     struct config_reader *reader, const struct config_json *root)
{
    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_vm *other = &config->vms[i];
        const char *what = strcmp(other->name, vm->name) == 0                           ? "name"
                           : strcmp(other->id, vm->id) == 0                             ? "id"
                           : vm->cid != 0 && other->cid == vm->cid                      ? "cid"
                           : vm->socket && config_text_equal(other->socket, vm->socket) ? "socket"
                                                                                        : NULL;

        if (what != NULL) {
            config_reader_error(reader, root, "its %s is also VM %s's, expected a unique value",
                                what, other->name);
            return true;
        }
    }
    return false;
}

/* A VM of the file has that domain: that one counts. */
static bool is_in_file(const struct config *config, const struct config_found *found)
{
    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_device_host *host = &config->vms[i].device_host;

        if (host->type == CONFIG_DEVICE_HOST_LIBVIRT && strcmp(host->uri, found->uri) == 0 &&
            strcmp(host->domain, found->domain) == 0)
            return true;
    }
    return false;
}

static int append(struct config *config, struct config_vm *vm)
{
    struct config_vm *vms = realloc(config->vms, (config->vm_count + 1) * sizeof(*vms));

    if (vms == NULL)
        return -ENOMEM;
    config->vms = vms;
    vms[config->vm_count++] = *vm;
    *vm = (struct config_vm){.cid = 0};
    return 0;
}

static int read_vm(struct config *config, const struct config_found *found,
                   struct config_reader *reader, const struct config_json *root)
{
    struct config_vm vm;
    int r;

    config_vm_init(&vm, &config->timeouts);
    if (root->type != CONFIG_JSON_OBJECT) {
        config_reader_expected(reader, root, "an object with the keys of a VM");
        return 1;
    }
    r = fill_in(reader, root, found, &vm);
    if (r == 0)
        config_vm_read_found(reader, root, &vm);
    if (r == 0 && reader->out_of_memory)
        r = -ENOMEM;
    if (r == 0 && (reader->errors > 0 || is_taken(config, &vm, reader, root)))
        r = 1;
    if (r == 0)
        r = append(config, &vm);
    config_vm_done(&vm);
    return r;
}

int config_adopt(struct config *config, const struct config_found *found,
                 config_remark_fn on_warning, config_remark_fn on_error, void *userdata)
{
    char name[1400];
    struct config_reader reader = {.name = name,
                                   .fate = FATE,
                                   .on_warning = on_warning,
                                   .on_error = on_error,
                                   .userdata = userdata};
    struct config_json_error error;
    struct config_json *root = NULL;
    int r;

    if (is_in_file(config, found))
        return 0;
    (void)snprintf(name, sizeof(name), "domain %.255s of %.1024s", found->domain, found->uri);
    r = config_json_parse(found->text, strlen(found->text), &error, &root);
    if (r == 1) {
        const struct config_json place = {.line = error.line};

        config_reader_error(&reader, &place, "%s", error.text);
    }
    if (r == 0)
        r = read_vm(config, found, &reader, root);
    (void)config_json_free(root);
    return r;
}
