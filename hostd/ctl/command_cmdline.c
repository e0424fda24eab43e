/* command cmdline: the guest kernel's words, from the daemon or from a file alone. */
#include "client.h"
#include "command.h"
#include "config/policy.h"
#include "say.h"

#include <errno.h>
#include <string.h>

static void tell(void *userdata, const char *remark)
{
    (void)userdata;
    say_error("%s", remark);
}

/* @param vm  NULL: the daemon has answered, which does not say more */
static int print(const struct options *options, const struct config_vm *vm, const char *text)
{
    struct json_object *object;
    char ports[1024];

    if (!options->json) {
        say_text(SAY_PLAIN, text);
        (void)putchar('\n');
        return 0;
    }
    object = json_object_new_object();
    json_add_text(object, "command_line", text);
    /* run-vm reads it, to know what its unit must confine. */
    if (vm != NULL) {
        json_add_flag(object, "host_loopback", config_vm_has_host_loopback(vm));
        config_vm_name_ports(vm, ports, sizeof(ports));
        json_add_text(object, "published_ports", ports);
    }
    say_json(object);
    json_object_put(object);
    return 0;
}

static int print_of_config(const struct options *options, const struct config *config,
                           const char *name)
{
    const struct config_vm *vm = command_find_vm(config, name);
    struct policy policy;
    char text[256];

    if (vm == NULL)
        return 1;
    policy = policy_decide(config, vm, tell, NULL);
    if (policy_format_cmdline(&policy, policy_guest_port(config, vm), text, sizeof(text)) < 0) {
        say_error("%s", strerror(ENOBUFS));
        return 1;
    }
    return print(options, vm, text);
}

int command_cmdline(const struct options *options, char **words)
{
    struct json_object *reply = NULL;
    struct client *client = NULL;
    struct config *config = NULL;
    int status = 1;

    if (options->config != NULL) {
        if (config_load(options->config, tell, tell, NULL, &config) == 0)
            status = print_of_config(options, config, words[0]);
        (void)config_free(config);
        return status;
    }
    status = client_new(options->socket, &client);
    if (status != 0)
        say_error("with --config FILE, cmdline works without a running daemon");
    else
        status = client_call(client, "CommandLine", command_vm_params(words[0]), CLIENT_QUICK_MS,
                             &reply);
    if (status == 0)
        (void)print(options, NULL, command_text(reply, "command_line"));
    (void)client_free(client);
    json_object_put(reply);
    return status;
}
