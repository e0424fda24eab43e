/* varlink: connections, their buffers and deadlines, and who answers what. */
#include "varlink.h"

#include "base/clock.h"
#include "base/json.h"
#include "connection.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct varlink {
    sd_event *event;
    const struct varlink_interface *interface;
    void *userdata;
    struct varlink_connection *connections; /* a list */
    unsigned count;
};

int varlink_new(sd_event *event, const struct varlink_interface *interface, void *userdata,
                struct varlink **ret_varlink)
{
    struct varlink *varlink = calloc(1, sizeof(*varlink));

    if (varlink == NULL)
        return -ENOMEM;
    varlink->event = event;
    varlink->interface = interface;
    varlink->userdata = userdata;
    *ret_varlink = varlink;
    return 0;
}

static void get_info(const struct varlink *varlink, struct varlink_call *call)
{
    const struct varlink_interface *interface = varlink->interface;
    struct json_object *info, *names = json_object_new_array();

    json_object_array_add(names, json_object_new_string("org.varlink.service"));
    json_object_array_add(names, json_object_new_string(interface->name));
    info = json_texts("vendor", interface->vendor, "product", interface->product, "version",
                      interface->version, "url", interface->url, NULL);
    json_object_object_add(info, "interfaces", names);
    varlink_call_reply(call, info, false);
}

static const char service_description[] =
    "# What every Varlink service offers\n"
    "interface org.varlink.service\n\n"
    "method GetInfo() -> (vendor: string, product: string, version: string, url: string,\n"
    "  interfaces: []string)\n\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
    "error InterfaceNotFound (interface: string)\n"
    "error MethodNotFound (method: string)\n"
    "error MethodNotImplemented (method: string)\n"
    "error InvalidParameter (parameter: string)\n"
    "error PermissionDenied ()\n"
    "error ExpectedMore ()\n";

static void get_description(const struct varlink *varlink, struct varlink_call *call,
                            struct json_object *parameters)
{
    struct json_object *name = json_member(parameters, "interface");
    const char *text = NULL;

    if (!json_object_is_type(name, json_type_string)) {
        varlink_call_invalid(call, "interface");
        return;
    }
    if (strcmp(json_object_get_string(name), "org.varlink.service") == 0)
        text = service_description;
    else if (strcmp(json_object_get_string(name), varlink->interface->name) == 0)
        text = varlink->interface->description;
    if (text == NULL) {
        varlink_call_fail(call, "org.varlink.service.InterfaceNotFound",
                          json_texts("interface", json_object_get_string(name), NULL));
        return;
    }
    varlink_call_reply(call, json_texts("description", text, NULL), false);
}

static void dispatch_own(const struct varlink *varlink, struct varlink_call *call,
                         const struct varlink_message *message, const char *name)
{
    const struct varlink_interface *interface = varlink->interface;

    for (size_t i = 0; i < interface->method_count; i++) {
        const struct varlink_method *method = &interface->methods[i];

        if (strcmp(method->name, name) != 0)
            continue;
        if ((method->answer == VARLINK_UPGRADE) != message->upgrade)
            varlink_call_fail(call, "org.varlink.service.MethodNotImplemented",
                              json_texts("method", message->method, NULL));
        else if (method->answer == VARLINK_STREAM && !message->more)
            varlink_call_fail(call, "org.varlink.service.ExpectedMore", NULL);
        else
            method->fn(varlink->userdata, call, message->parameters);
        return;
    }
    varlink_call_fail(call, "org.varlink.service.MethodNotFound",
                      json_texts("method", message->method, NULL));
}

/* One call of a client's; it has an object of parameters whatever was sent. */
static void on_call(void *userdata, struct varlink_call *call,
                    const struct varlink_message *message)
{
    const struct varlink *varlink = userdata;
    size_t prefix = strlen(varlink->interface->name);

    if (message->upgrade && strncmp(message->method, "org.varlink.service.", 20) == 0)
        varlink_call_fail(call, "org.varlink.service.MethodNotImplemented",
                          json_texts("method", message->method, NULL));
    else if (strcmp(message->method, "org.varlink.service.GetInfo") == 0)
        get_info(varlink, call);
    else if (strcmp(message->method, "org.varlink.service.GetInterfaceDescription") == 0)
        get_description(varlink, call, message->parameters);
    else if (strncmp(message->method, varlink->interface->name, prefix) == 0 &&
             message->method[prefix] == '.')
        dispatch_own(varlink, call, message, message->method + prefix + 1);
    else if (strncmp(message->method, "org.varlink.service.", 20) == 0)
        varlink_call_fail(call, "org.varlink.service.MethodNotFound",
                          json_texts("method", message->method, NULL));
    else
        varlink_call_fail(call, "org.varlink.service.InterfaceNotFound",
                          json_texts("interface", message->method, NULL));
}

static void on_closed(void *userdata, struct varlink_connection *connection)
{
    struct varlink *varlink = userdata;
    struct varlink_connection **at = &varlink->connections;

    while (*at != NULL && *at != connection)
        at = varlink_connection_next(*at);
    if (*at != NULL) {
        *at = *varlink_connection_next(connection);
        varlink->count--;
    }
    (void)varlink_connection_free(connection);
}

int varlink_consume_connection(struct varlink *varlink, int fd)
{
    static const struct varlink_connection_events events = {on_call, on_closed};
    struct varlink_connection *connection;
    int r;

    if (varlink->count >= VARLINK_CONNECTIONS) {
        (void)close(fd);
        return -EUSERS;
    }
    r = varlink_connection_new(varlink->event, fd, &events, varlink, &connection);
    if (r < 0)
        return r;
    *varlink_connection_next(connection) = varlink->connections;
    varlink->connections = connection;
    varlink->count++;
    return 0;
}

struct varlink *varlink_free(struct varlink *varlink)
{
    if (varlink == NULL)
        return NULL;
    while (varlink->connections != NULL) {
        struct varlink_connection *connection = varlink->connections;

        varlink->connections = *varlink_connection_next(connection);
        (void)varlink_connection_free(connection);
    }
    free(varlink);
    return NULL;
}
