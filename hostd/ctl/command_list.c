/* command list: one line a VM, the worst first; its error is under it. */
#include "client.h"
#include "command.h"
#include "table.h"

#include <string.h>

/* "64 MiB at 0x14000000" */
static void format_pool(struct json_object *vm, char *buffer, size_t capacity)
{
    uint64_t size = command_number(vm, "pool_size");
    char text[32];

    if (size != 0)
        (void)snprintf(buffer, capacity, "%s at %s", say_size(size, text),
                       command_text(vm, "pool_base"));
    else
        (void)snprintf(buffer, capacity, "-");
}

static void add_row(struct table *table, struct json_object *vm)
{
    const char *state = command_text(vm, "state"), *kernel = command_text(vm, "kernel_release");
    const char *error = command_text(vm, "error");
    char text[80];

    table_add(table, SAY_BOLD, command_text(vm, "name"));
    table_add(table, command_state_colour(state), state);
    table_add(table, SAY_PLAIN, kernel[0] == '\0' ? "-" : kernel);
    format_pool(vm, text, sizeof(text));
    table_add(table, SAY_PLAIN, text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)command_number(vm, "shares"));
    table_add(table, SAY_PLAIN, text);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)command_number(vm, "adapters"));
    table_add(table, SAY_PLAIN, text);
    table_note(table, SAY_RED, error);
}

/* 0: something is wrong with the VM; 1: its guest is lost; 2: neither. */
static int rank(struct json_object *vm)
{
    if (command_text(vm, "error")[0] != '\0')
        return 0;
    return strcmp(command_text(vm, "state"), "lost") == 0 ? 1 : 2;
}

int command_list(const struct options *options, char **words)
{
    static const char *const headings[] = {"NAME",   "STATE", "KERNEL", "POOL",
                                           "SHARES", "NET",   NULL};
    struct json_object *reply = NULL, *vms;
    struct table *table;

    (void)words;
    if (command_call(options, "List", NULL, CLIENT_QUICK_MS, &reply) != 0)
        return 1;
    vms = json_member(reply, "vms");
    table = table_new(headings);
    if (options->json) {
        say_json(reply);
    } else if (table != NULL) {
        for (int worst = 0; worst < 3; worst++)
            for (size_t i = 0; i < json_count(vms); i++)
                if (rank(json_element(vms, i)) == worst)
                    add_row(table, json_element(vms, i));
        table_print(table);
    }
    (void)table_free(table);
    json_object_put(reply);
    return 0;
}
