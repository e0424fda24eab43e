/* passt server: passt behind its relay for an adapter. */
#include "passt_server.h"

#include "base/text.h"
#include "device_server_files.h"
#include "passt_command.h"
#include "protocol/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void explain(int error, const char *program, char text[PASST_SERVER_TEXT_SIZE])
{
    if (error == -ENOPKG)
        (void)snprintf(
            text, PASST_SERVER_TEXT_SIZE,
            "guestlink-no-loopback, which keeps passt from this host's own addresses, is not "
            "installed; reinstall guestlink-hostd, or set \"host_loopback\": true for the "
            "adapter");
    else if (error == -EOPNOTSUPP)
        (void)snprintf(text, PASST_SERVER_TEXT_SIZE,
                       "%s is too old for vhost-user adapters; install one with --vhost-user "
                       "(Debian 13 has one), or use the backend \"user\"",
                       program);
    else if (error == -ENOEXEC)
        (void)snprintf(text, PASST_SERVER_TEXT_SIZE,
                       "%s is a script, and passt runs in a jail that has no shell; have "
                       "device_host.passt name the program itself",
                       program);
    else
        (void)snprintf(text, PASST_SERVER_TEXT_SIZE,
                       "no executable passt at %s; install passt, or fix device_host.passt",
                       program);
}

/* All words of the command, for the hash: one that would be started otherwise is another one. */
static void join(const struct passt_command *command, char *text, size_t capacity)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; command->guard[i] && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s ", command->guard[i]);
    for (size_t i = 0; command->argv[i] && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s ", command->argv[i]);
}

int passt_server_name(const struct config_vm *vm, const struct device_adapter *adapter,
                      char name[PASST_SERVER_NAME_SIZE], char text[PASST_SERVER_TEXT_SIZE])
{
    struct passt_command command;
    char words[LIMITS_PATH * 3], mac[TEXT_MAC_SIZE], hash[DEVICE_NAME_HASH_SIZE];
    uint64_t base, size;
    int r = passt_command_make(vm->device_host.passt, adapter->network, &command);

    if (r < 0) {
        explain(r, command.program, text);
        return -r;
    }
    join(&command, words, sizeof(words));
    text_mac(adapter->network->mac, mac);
    device_name_hash(
        hash, vm->id, adapter->network->id, mac, words, config_aperture_names[adapter->aperture],
        options_read_token(adapter->options, &base, &size) > 0 ? adapter->options : NULL, NULL);
    (void)snprintf(name, PASST_SERVER_NAME_SIZE, "%s%s", DEVICE_SERVER_PASST, hash);
    return 0;
}

bool passt_server_is_name(const char *name)
{
    const size_t prefix = sizeof(DEVICE_SERVER_PASST) - 1;

    return strncmp(name, DEVICE_SERVER_PASST, prefix) == 0 && device_name_is_hash(name + prefix);
}

int passt_server_start(sd_event *event, const struct config_vm *vm,
                       const struct share_server_place *place, const char *name,
                       const struct device_adapter *adapter,
                       const struct device_server_events *events, void *userdata,
                       struct device_server **ret_server, char text[PASST_SERVER_TEXT_SIZE])
{
    struct passt_command command;
    const struct device_server_spec spec = {
        .directory = place->directory,
        .name = name,
        .path = adapter->network->id,
        .passt = command.argv,
        .guard = command.guard,
        .options = adapter->options,
        .aperture = adapter->aperture,
        .uid = place->uid,
        .gid = place->gid,
    };
    int r = passt_command_make(vm->device_host.passt, adapter->network, &command);

    if (r < 0) {
        explain(r, command.program, text);
        return -r;
    }
    r = device_server_files_make_directory(place->parent);
    if (r == 0)
        r = device_server_start(event, &spec, events, userdata, ret_server);
    if (r < 0)
        (void)snprintf(text, PASST_SERVER_TEXT_SIZE, "cannot start passt: %s",
                       r == -ENOPKG ? "guestlink-virtiofs-relay is not installed; reinstall "
                                      "guestlink-hostd"
                                    : strerrordesc_np(-r));
    return -r;
}
