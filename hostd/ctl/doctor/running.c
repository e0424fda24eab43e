/* doctor, its part that asks the daemon for what hostd.json does not say: VMs that libvirt has, and
 * shares that were added at runtime. */
#include "client.h"
#include "command.h"
#include "config/vm.h"
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct config_vm *find_vm(const struct config *config, struct json_object *view)
{
    for (size_t i = 0; i < config->vm_count; i++)
        if (strcmp(config->vms[i].id, command_text(view, "id")) == 0)
            return &config->vms[i];
    return NULL;
}

static struct config_share *find_share(const struct config_vm *vm, struct json_object *view)
{
    for (size_t i = 0; i < vm->share_count; i++)
        if (strcmp(vm->shares[i].tag, command_text(view, "tag")) == 0)
            return &vm->shares[i];
    return NULL;
}

static enum config_transport read_transport(struct json_object *view)
{
    return strcmp(command_text(view, "transport"), "9p") == 0 ? CONFIG_TRANSPORT_9P
                                                              : CONFIG_TRANSPORT_AUTO;
}

/* @return 0 or -ENOMEM */
static int add_share(struct config_vm *vm, struct json_object *view)
{
    struct config_share share = {.tag = strdup(command_text(view, "tag")),
                                 .path = strdup(command_text(view, "path")),
                                 .target = strdup(command_text(view, "target")),
                                 .read_only = command_flag(view, "read_only"),
                                 .transport = read_transport(view)};
    struct config_share *shares = realloc(vm->shares, (vm->share_count + 1) * sizeof(*shares));

    if (shares != NULL)
        vm->shares = shares;
    if (shares == NULL || share.tag == NULL || share.path == NULL || share.target == NULL) {
        free(share.tag);
        free(share.path);
        free(share.target);
        return -ENOMEM;
    }
    shares[vm->share_count++] = share;
    return 0;
}

static int add_shares(struct config_vm *vm, struct json_object *view)
{
    struct json_object *shares = json_member(view, "shares");
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_count(shares); i++) {
        struct json_object *share = json_element(shares, i);

        if (!command_flag(share, "configured") && find_share(vm, share) == NULL)
            r = add_share(vm, share);
    }
    return r;
}

/* What the daemon's configuration of the VM must have been, as far as it says so. */
static struct json_object *describe(struct json_object *view)
{
    struct json_object *vm = json_object_new_object(), *shares = json_object_new_array();
    struct json_object *all = json_member(view, "shares");

    for (size_t i = 0; i < json_count(all); i++) {
        struct json_object *share = json_element(all, i);

        if (!command_flag(share, "configured"))
            continue;
        json_object_array_add(shares, json_texts("tag", command_text(share, "tag"), "path",
                                                 command_text(share, "path"), "target",
                                                 command_text(share, "target"), NULL));
    }
    json_add_text(vm, "name", command_text(view, "name"));
    json_add_text(vm, "id", command_text(view, "id"));
    json_add_text(vm, "aperture", command_text(view, "aperture"));
    if (command_number(view, "cid") != 0)
        json_add_number(vm, "cid", command_number(view, "cid"));
    if (command_text(view, "socket")[0] != '\0')
        json_add_text(vm, "socket", command_text(view, "socket"));
    if (command_number(view, "memory_bytes") != 0)
        json_add_number(vm, "memory", command_number(view, "memory_bytes"));
    json_object_object_add(vm, "shares", shares);
    return vm;
}

static int add_vm(struct config *config, struct json_object *view)
{
    struct json_object *described = describe(view);
    const char *domain = command_text(view, "domain");
    const struct config_found found = {
        .uri = config->libvirt.uri != NULL ? config->libvirt.uri : CONFIG_LIBVIRT_URI,
        .domain = domain[0] != '\0' ? domain : command_text(view, "name"),
        .id = command_text(view, "id"),
        .text = json_object_to_json_string(described),
    };
    int r = config_adopt(config, &found, NULL, NULL, NULL);
    struct config_vm *vm;

    json_object_put(described);
    vm = r == 0 ? find_vm(config, view) : NULL;
    if (!vm)
        return r;
    if (domain[0] == '\0')
        vm->device_host.type = CONFIG_DEVICE_HOST_NONE;
    return add_shares(vm, view);
}

void doctor_add_view(struct config *config, struct json_object *view)
{
    struct config_vm *vm = find_vm(config, view);

    if (vm != NULL)
        (void)add_shares(vm, view);
    else
        (void)add_vm(config, view);
}

void doctor_add_running(struct config *config, const char *socket)
{
    struct json_object *list = client_ask(socket, "List", NULL), *vms = json_member(list, "vms");

    for (size_t i = 0; i < json_count(vms); i++) {
        const char *id = command_text(json_element(vms, i), "id");
        struct json_object *reply = client_ask(socket, "Show", command_vm_params(id));

        if (json_member(reply, "vm") != NULL)
            doctor_add_view(config, json_member(reply, "vm"));
        json_object_put(reply);
    }
    json_object_put(list);
}
