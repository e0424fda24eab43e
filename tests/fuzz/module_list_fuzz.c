/* The image's module list: every module that is read has a path and a name, whatever was there.
 * What follows the first NUL of the input is what guestlink.modules= chooses. */
#include "fuzz.h"
#include "init/kernel/module_list.h"

static void check(struct module_list *list)
{
    FUZZ_CHECK(list->count <= INIT_MODULES);
    for (size_t i = 0; i < list->count; i++) {
        const struct module *module = &list->modules[i];

        FUZZ_CHECK(module->path[0] == '/' && module->path >= list->text);
        FUZZ_CHECK(module->path + strlen(module->path) < list->text + sizeof(list->text));
        FUZZ_CHECK(module->dependencies && strlen(module->dependencies) < sizeof(list->text));
        FUZZ_CHECK(strnlen(module->name, sizeof(module->name)) < sizeof(module->name));
        FUZZ_CHECK(module_list_find(list, module->name, strlen(module->name)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct module_list list;
    char missing[MODULE_NAME_SIZE];
    char *text = fuzz_text(data, size);
    size_t length = strlen(text);
    unsigned line = 0;

    memset(&list, 0, sizeof(list));
    (void)snprintf(list.text, sizeof(list.text), "%s", text);
    (void)module_list_parse(&list, &line);
    check(&list);
    if (length < size) {
        module_list_choose(&list, text + length + 1, missing);
        FUZZ_CHECK(strnlen(missing, sizeof(missing)) < sizeof(missing));
        check(&list);
    }
    free(text);
    return 0;
}
