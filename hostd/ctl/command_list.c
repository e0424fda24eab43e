/* command list: one line a VM. */
#include "client.h"
#include "command.h"
#include "protocol/token.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

static enum say_colour colour_of(const char *state)
{
    if (strcmp(state, "ready") == 0)
        return SAY_GREEN;
    if (strcmp(state, "lost") == 0)
        return SAY_RED;
    if (strcmp(state, "connected") == 0 || strcmp(state, "shutting-down") == 0)
        return SAY_YELLOW;
    return SAY_DIM;
}

/* "swiotlb=0x14000000,67108864" to "64 MiB at 0x14000000". */
static void format_pool(const char *token, char *buffer, size_t capacity)
{
    uint64_t base, size;
    char text[32];

    if (token_parse(token, &base, &size) == 0)
        (void)snprintf(buffer, capacity, "%s at 0x%" PRIx64, say_size(size, text), base);
    else
        (void)snprintf(buffer, capacity, "-");
}

static void add_row(struct table *table, struct json_object *vm)
{
    const char *state = command_text(vm, "state"), *kernel = command_text(vm, "kernel_release");
    const char *error = command_text(vm, "error");
    char text[80];

    table_add(table, SAY_BOLD, command_text(vm, "name"));
    table_add(table, colour_of(state), state);
    table_add(table, SAY_PLAIN, kernel[0] == '\0' ? "-" : kernel);
    format_pool(command_text(vm, "token"), text, sizeof(text));
    table_add(table, SAY_PLAIN, text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)command_number(vm, "shares"));
    table_add(table, SAY_PLAIN, text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)command_number(vm, "adapters"));
    table_add(table, SAY_PLAIN, text);
    table_add(table, SAY_RED, error);
}

int command_list(const struct options *options, char **words)
{
    static const char *const headings[] = {"NAME",   "STATE", "KERNEL", "POOL",
                                           "SHARES", "NET",   "ERROR",  NULL};
    struct json_object *reply = NULL, *vms;
    struct table *table;

    (void)words;
    if (command_call(options, "List", NULL, CLIENT_QUICK_MS, &reply) != 0)
        return 1;
    vms = command_member(reply, "vms");
    table = table_new(headings);
    if (options->json) {
        say_json(reply);
    } else if (json_object_is_type(vms, json_type_array) && table != NULL) {
        for (size_t i = 0; i < json_object_array_length(vms); i++)
            add_row(table, json_object_array_get_idx(vms, i));
        table_print(table);
    }
    (void)table_free(table);
    json_object_put(reply);
    return 0;
}
