/* config unique: sorts what the VMs say of one key and looks at neighbours; thousands are fine. */
#include "unique.h"

#include <stdlib.h>
#include <string.h>

struct claim {
    const char *value;
    size_t vm;
};

static int compare_claims(const void *a, const void *b)
{
    const struct claim *left = a, *right = b;
    int order = strcmp(left->value, right->value);

    return order != 0 ? order : (left->vm > right->vm) - (left->vm < right->vm);
}

static int compare_numbers(const void *a, const void *b)
{
    const struct claim *left = a, *right = b;

    return (left->vm > right->vm) - (left->vm < right->vm);
}

/* In the file's order again, so that errors come in it: claims that are twice keep their value. */
static void tell(struct config_reader *reader, const struct config_json *const *nodes,
                 struct claim *claims, size_t count, const char *key)
{
    size_t first = 0, twice = 0;

    qsort(claims, count, sizeof(*claims), compare_claims);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(claims[i].value, claims[first].value) != 0)
            first = i;
        else
            claims[twice++] = (struct claim){claims[i].value, claims[i].vm};
    }
    qsort(claims, twice, sizeof(*claims), compare_numbers);
    for (size_t i = 0; i < twice; i++) {
        const struct config_json *node = config_json_find(nodes[claims[i].vm], key);

        config_reader_error(reader, node != NULL ? node : nodes[claims[i].vm],
                            "\"%s\" is also used by another VM, expected a unique value",
                            claims[i].value);
    }
}

static const char *name_of(const struct config_vm *vm, char *buffer)
{
    (void)buffer;
    return vm->name;
}

static const char *id_of(const struct config_vm *vm, char *buffer)
{
    (void)buffer;
    return vm->id[0] != '\0' ? vm->id : NULL;
}

static const char *cid_of(const struct config_vm *vm, char *buffer)
{
    if (vm->cid == 0)
        return NULL;
    (void)snprintf(buffer, 12, "%u", vm->cid);
    return buffer;
}

void config_unique_check(struct config_reader *reader, const struct config_json *vms,
                         const struct config *config)
{
    static const struct {
        const char *key;
        const char *(*value_of)(const struct config_vm *vm, char *buffer);
    } keys[] = {
        {"name", name_of},
        {"id", id_of},
        {"cid", cid_of},
    };
    size_t count = config->vm_count;
    const struct config_json **nodes = calloc(count + 1, sizeof(const struct config_json *));
    struct claim *claims = calloc(count + 1, sizeof(*claims));
    char(*buffers)[12] = calloc(count + 1, sizeof(*buffers));

    if (nodes == NULL || claims == NULL || buffers == NULL) {
        reader->out_of_memory = true;
    } else {
        for (const struct config_json *node = vms->first; node != NULL; node = node->next)
            nodes[node->index] = node;
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            size_t claimed = 0;

            for (size_t i = 0; i < count; i++) {
                const char *value = keys[k].value_of(&config->vms[i], buffers[i]);

                if (value != NULL)
                    claims[claimed++] = (struct claim){value, i};
            }
            tell(reader, nodes, claims, claimed, keys[k].key);
        }
    }
    free(nodes);
    free(claims);
    free(buffers);
}
